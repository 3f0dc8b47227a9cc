//! Unconfirmed transactions, raw or decoded: only bitcoind has their bytes.

use std::sync::Arc;

use bitcoin::Txid;

use crate::node::calls::{NodeCalls, NodeError};
use crate::node::transactions;

use super::answers::{Answer, QueryError};

/// bitcoind's code for a transaction that it does not know.
const NOT_FOUND: i64 = -5;

/// Asks bitcoind for transactions.
pub struct NodeTransactions {
    /// bitcoind; `None` with --offline.
    pub node: Option<Arc<dyn NodeCalls>>,
}

/// The error for a txid that is neither in the chain nor in bitcoind's mempool.
pub fn unknown(txid: &Txid) -> QueryError {
    QueryError::NotFound(format!("no such transaction in the chain or the mempool: {txid}"))
}

impl NodeTransactions {
    /// The serialised transaction.
    pub fn raw(&self, txid: &Txid) -> Answer<Vec<u8>> {
        let raw = transactions::raw(self.node(txid)?, txid).map_err(|error| failed(txid, error))?;
        raw.ok_or_else(|| QueryError::Node("bitcoind sent no transaction".into()))
    }

    /// The transaction decoded by bitcoind, as JSON text.
    pub fn decoded(&self, txid: &Txid) -> Answer<String> {
        transactions::decoded(self.node(txid)?, txid).map_err(|error| failed(txid, error))
    }

    fn node(&self, txid: &Txid) -> Answer<&dyn NodeCalls> {
        self.node.as_deref().ok_or_else(|| unknown(txid))
    }
}

fn failed(txid: &Txid, error: NodeError) -> QueryError {
    match error {
        NodeError::Refused { code: NOT_FOUND, .. } => unknown(txid),
        other => QueryError::Node(format!(
            "{txid} is not in the chain, and bitcoind cannot be asked for it: {other}"
        )),
    }
}
