//! What hekte passes on to bitcoind for clients: transactions to its mempool, questions about fees.

use std::sync::Arc;

use bitcoin::Txid;

use crate::node::calls::{NodeCalls, NodeError};
use crate::node::transactions::{
    self, Acceptance, FeeRate, MempoolFees, PackageResult, unexpected_answer,
};

use super::answers::Answers;
use super::fee_cache::FeeCache;

/// The fewest blocks for which bitcoind estimates a fee rate.
const ESTIMATE_BLOCKS_MIN: u32 = 1;
/// The most blocks for which bitcoind estimates a fee rate. With three modes, "not given" among
/// them, the cache holds at most 3024 estimates.
const ESTIMATE_BLOCKS_MAX: u32 = 1008;
/// bitcoind's codes for "this transaction is not acceptable": undecodable, refused by consensus
/// or policy, already confirmed (RPC_DESERIALIZATION_ERROR to RPC_VERIFY_ALREADY_IN_UTXO_SET),
/// and a package of the wrong form (RPC_INVALID_PARAMETER).
const UNACCEPTABLE: [i64; 5] = [-22, -25, -26, -27, -8];

/// Why bitcoind did not do what it was asked for. The texts go to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelayError {
    /// bitcoind refused the transaction itself, by consensus or policy; the text is bitcoind's.
    #[error("{0}")]
    Rejected(String),
    /// bitcoind refused for another reason, or cannot be asked.
    #[error("{0}")]
    Node(String),
}

impl From<NodeError> for RelayError {
    fn from(error: NodeError) -> RelayError {
        match error {
            NodeError::Refused { .. } => RelayError::Node(format!("bitcoind: {error}")),
            NodeError::Away(text) => RelayError::Node(text),
        }
    }
}

/// How careful bitcoind's fee estimate shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeeMode {
    /// A higher estimate, which is less likely to be too low.
    Conservative,
    /// A lower estimate.
    Economical,
}

impl FeeMode {
    /// The word that `estimatesmartfee` takes.
    fn word(self) -> &'static str {
        match self {
            FeeMode::Conservative => "CONSERVATIVE",
            FeeMode::Economical => "ECONOMICAL",
        }
    }
}

/// Passes on to bitcoind what only bitcoind can do. The whole server has one relay, so that all
/// clients share the fee figures that it keeps.
pub struct Relay {
    node: Option<Arc<dyn NodeCalls>>,
    answers: Arc<dyn Answers>,
    estimates: FeeCache<(u32, Option<FeeMode>), Option<FeeRate>>,
    mempool_fees: FeeCache<(), MempoolFees>,
}

impl Relay {
    /// A relay to `node`, which is `None` with --offline. `answers` is notified of each transaction
    /// that was sent, and gives the tip for which fee figures are kept.
    pub fn new(answers: Arc<dyn Answers>, node: Option<Arc<dyn NodeCalls>>) -> Relay {
        let (estimates, mempool_fees) = (FeeCache::default(), FeeCache::default());
        Relay { node, answers, estimates, mempool_fees }
    }

    fn node(&self) -> Result<&dyn NodeCalls, NodeError> {
        self.node.as_deref().ok_or_else(|| {
            NodeError::Away("hekte runs with --offline and does not ask bitcoind".to_owned())
        })
    }

    /// Sends a transaction, in hexadecimal, to the network.
    ///
    /// # Errors
    /// When it is rejected or bitcoind cannot be asked.
    pub fn broadcast(&self, transaction: &str) -> Result<Txid, RelayError> {
        let sent = self.node().and_then(|node| transactions::send(node, transaction));
        let txid = sent.map_err(rejected)?;
        self.answers.mempool_changed();
        Ok(txid)
    }

    /// Sends transactions, in hexadecimal, that are only acceptable together.
    ///
    /// # Errors
    /// When the whole package is rejected or bitcoind cannot be asked.
    pub fn broadcast_package(&self, package: &[String]) -> Result<PackageResult, RelayError> {
        let sent = self.node().and_then(|node| transactions::submit_package(node, package));
        let result = sent.map_err(rejected)?;
        self.answers.mempool_changed();
        Ok(result)
    }

    /// Whether bitcoind would take these transactions, in hexadecimal.
    ///
    /// # Errors
    /// When the whole list is rejected or bitcoind cannot be asked.
    pub fn test_mempool_accept(&self, list: &[String]) -> Result<Vec<Acceptance>, RelayError> {
        self.node().and_then(|node| transactions::test_accept(node, list)).map_err(rejected)
    }

    /// The fee rate for a confirmation within `blocks` blocks; `None` if bitcoind knows none.
    ///
    /// # Errors
    /// When bitcoind refuses or cannot be asked.
    pub fn estimate_fee(
        &self,
        blocks: u32,
        mode: Option<FeeMode>,
    ) -> Result<Option<FeeRate>, RelayError> {
        let blocks = blocks.clamp(ESTIMATE_BLOCKS_MIN, ESTIMATE_BLOCKS_MAX);
        let tip = self.answers.tip().header;
        let estimate = self.estimates.get((blocks, mode), &tip, || {
            transactions::estimate_fee(self.node()?, blocks, mode.map(FeeMode::word))
        });
        Ok(estimate?)
    }

    /// The fee rate below which bitcoind never takes a transaction.
    ///
    /// # Errors
    /// When bitcoind refuses, does not say, or cannot be asked.
    pub fn relay_fee(&self) -> Result<FeeRate, RelayError> {
        let fee = self.mempool_fees()?.min_relay;
        fee.ok_or_else(|| unexpected_answer("getmempoolinfo").into())
    }

    /// The fee rates that bitcoind's mempool demands.
    ///
    /// # Errors
    /// When bitcoind refuses or cannot be asked.
    pub fn mempool_fees(&self) -> Result<MempoolFees, RelayError> {
        let tip = self.answers.tip().header;
        let ask = || transactions::mempool_fees(self.node()?);
        Ok(self.mempool_fees.get((), &tip, ask)?)
    }
}

/// Turns bitcoind's error into `Rejected` if it is about the transaction itself, else into `Node`.
fn rejected(error: NodeError) -> RelayError {
    match error {
        NodeError::Refused { code, message } if UNACCEPTABLE.contains(&code) => {
            RelayError::Rejected(message)
        }
        error => error.into(),
    }
}
