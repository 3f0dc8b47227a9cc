//! A transaction in full, as a verbose answer needs it.

use bitcoin::consensus::{deserialize, encode};
use bitcoin::{BlockHash, Network, Transaction};

/// A transaction in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerboseTx {
    /// A confirmed transaction, decoded by hekte.
    Decoded(Box<DecodedTx>),
    /// An unconfirmed transaction, which only bitcoind has: the JSON text in which bitcoind decoded
    /// it. Clients get that text unchanged, with every field that bitcoind gives.
    ByNode(String),
}

/// A confirmed transaction and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedTx {
    /// The transaction.
    pub tx: Transaction,
    /// Its bytes.
    pub raw: Vec<u8>,
    /// The network, which decides how addresses are written.
    pub network: Network,
    /// Its block.
    pub mined: Mined,
}

/// Where and when a transaction was confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mined {
    /// Hash of its block.
    pub block_hash: BlockHash,
    /// Number of blocks from its block to the tip: 1 if it is in the tip.
    pub confirmations: u32,
    /// Time in the block's header.
    pub time: u32,
}

/// Decodes a transaction's bytes.
///
/// # Errors
/// When the bytes are no transaction.
pub fn decode(raw: &[u8], network: Network, mined: Mined) -> Result<VerboseTx, encode::Error> {
    let tx: Transaction = deserialize(raw)?;
    Ok(VerboseTx::Decoded(Box::new(DecodedTx { tx, raw: raw.to_vec(), network, mined })))
}
