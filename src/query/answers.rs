//! The questions that a session may ask and the types of the answers. Each call is answered from
//! one consistent moment.

use crate::ids::{HeaderBytes, Height, OutPoint, Prefix, ScriptHash, Txid};
use crate::live::tip::Tip;

use super::decoded::VerboseTx;

/// Why a question has no answer. The texts go to the client.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// The index is being built, or is catching up; only headers are answered.
    #[error("unavailable index")]
    Building,
    /// The client asked for something that does not exist: a height above the tip, or a transaction
    /// that is not in the block named.
    #[error("{0}")]
    BadRequest(String),
    /// The transaction is neither in the chain nor in the mempool.
    #[error("{0}")]
    NotFound(String),
    /// The history has more transactions than the server answers.
    #[error("{0}")]
    TooLong(String),
    /// The history was not read within `query_time`. What was read of it is kept, so that asking
    /// again goes on from there.
    #[error("{0}")]
    TooSlow(String),
    /// bitcoind refused or cannot be asked.
    #[error("{0}")]
    Node(String),
    /// The history did not get memory for its summary in time, or another moment was published, by
    /// a block or by upkeep, each of the ten times that the answer was made.
    #[error("server busy - try again")]
    Busy,
    /// A stored position was wrong, or a row or a block is damaged. The log has the details.
    #[error("internal error: {0}")]
    Internal(String),
}

/// The result of a question.
pub type Answer<T> = Result<T, QueryError>;

/// Where a transaction stands: in a block or in the mempool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confirmation {
    /// In the block at that height.
    Block(Height),
    /// In the mempool, with all inputs confirmed.
    Mempool,
    /// In the mempool, with an unconfirmed input.
    MempoolChained,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The transaction.
    pub txid: Txid,
    /// Whether and where it is confirmed.
    pub confirmation: Confirmation,
    /// Fee in satoshi; `None` for a confirmed transaction.
    pub fee: Option<u64>,
}

/// An unspent output of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// The output.
    pub outpoint: OutPoint,
    /// Height of its block; `None` while it is unconfirmed.
    pub height: Option<Height>,
    /// Value in satoshi.
    pub value: u64,
}

/// Balance of a script in satoshi.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Sum of the outputs that no confirmed transaction spends, the mempool left aside.
    pub confirmed: u64,
    /// What unconfirmed transactions add to that sum, or take from it.
    pub unconfirmed: i64,
}

/// SHA-256 over a script's history (protocol basics, "Status"), shown as plain hex; `None` if the
/// script was never used.
pub type Status = Option<[u8; 32]>;

/// A Merkle branch: the siblings from the leaf up to the root, in internal byte order.
pub type Branch = Vec<[u8; 32]>;

/// Proof that a header is among those up to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderProof {
    /// Siblings from the header's hash upwards.
    pub branch: Branch,
    /// Root over all header hashes up to the checkpoint, internal byte order.
    pub root: [u8; 32],
}

/// Headers, and the proof for the last of them; no proof where there are no headers.
pub type ProvenHeaders = (Vec<HeaderBytes>, Option<HeaderProof>);

/// A transaction's place in its block, with the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxProof {
    /// The transaction.
    pub txid: Txid,
    /// Height of its block.
    pub height: Height,
    /// 0-based position in the block.
    pub pos: u32,
    /// Siblings from leaf to root.
    pub branch: Branch,
}

/// What is known of an outpoint (protocol 1.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutpointStatus {
    /// Where the funding transaction stands; `None` if the output is unknown.
    pub funder: Option<Confirmation>,
    /// The spending transaction and where it stands.
    pub spender: Option<(Txid, Confirmation)>,
    /// The script that the output pays, if it is known and can be spent.
    pub script: Option<Prefix>,
}

/// A transaction that came into the mempool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentTx {
    /// The transaction.
    pub txid: Txid,
    /// Fee in satoshi.
    pub fee: u64,
    /// Size in virtual bytes.
    pub vsize: u32,
}

/// Whether the index can answer questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The index is being built or is catching up: only the tip and headers up to the indexed
    /// height are answered.
    Building,
    /// Ready for every question.
    Serving,
}

/// How far the index is, in figures.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatusReport {
    /// The program's version.
    pub version: &'static str,
    /// What the sync thread is busy with, in a word or two.
    pub phase: &'static str,
    /// Height of the last block indexed.
    pub height: u32,
    /// Height of the last block that is known of, indexed or not.
    pub target: u32,
    /// How much of the phase is done.
    pub percent: f64,
    /// Seconds since the phase began.
    pub seconds_in_phase: u64,
    /// Seconds until the phase ends, at its present pace, where that can be said.
    pub seconds_left: Option<u64>,
    /// Bytes of blocks read in a second lately, while blocks are read.
    pub bytes_per_second: Option<u64>,
    /// Number of runs of each kind. A question about scripts or txids looks into all runs of its
    /// kind.
    pub runs: usize,
    /// Whether every question is answered.
    pub synced: bool,
    /// What keeps hekte from going on.
    pub trouble: Option<String>,
}

/// Takes a list as an upper bound of its length and an iterator over its items, so that a long list
/// is never in memory twice.
pub type ListSink<'a, T> = &'a mut dyn FnMut(usize, &mut dyn Iterator<Item = T>);

/// Everything a session can ask of the index and the mempool. Calls may block on the disk, except
/// `readiness`, `tip` and `status_report`, which answer from memory.
pub trait Answers: Send + Sync {
    /// Whether the index can answer questions.
    fn readiness(&self) -> Readiness;
    /// How far the index is in figures, for `hekte status`.
    fn status_report(&self) -> StatusReport;
    /// The newest block; while building, the newest indexed block.
    fn tip(&self) -> Tip;
    /// The header at `height`; `BadRequest` above the tip. Works while building.
    fn header(&self, height: Height) -> Answer<HeaderBytes>;
    /// Up to `count` headers from `start`; fewer, or none, at the tip. Works while building.
    fn headers(&self, start: Height, count: u32) -> Answer<Vec<HeaderBytes>>;
    /// Up to `count` headers from `start` and the proof for the last of them up to `cp_height`, all
    /// from one moment; no proof where there are no headers.
    fn proven_headers(&self, start: Height, count: u32, cp_height: Height)
    -> Answer<ProvenHeaders>;
    /// Proof for `height` among the headers 0..=`cp_height`; `BadRequest` unless
    /// height <= cp_height <= tip.
    fn header_proof(&self, height: Height, cp_height: Height) -> Answer<HeaderProof>;
    /// The history of a script: the confirmed entries in chain order, then the mempool's in
    /// canonical order.
    fn history_into(&self, script: &ScriptHash, sink: ListSink<'_, HistoryEntry>) -> Answer<()>;
    /// The mempool's entries alone, in canonical order (0 before -1, then txid as displayed).
    fn mempool_history(&self, script: &ScriptHash) -> Answer<Vec<HistoryEntry>>;
    /// The status hash of the history.
    fn status(&self, script: &ScriptHash) -> Answer<Status>;
    /// The balance of a script.
    fn balance(&self, script: &ScriptHash) -> Answer<Balance>;
    /// The unspent outputs of a script in chain order, the mempool's last.
    fn unspent_into(&self, script: &ScriptHash, sink: ListSink<'_, Coin>) -> Answer<()>;
    /// The serialised transaction.
    fn transaction(&self, txid: &Txid) -> Answer<Vec<u8>>;
    /// The transaction in full, decoded.
    fn transaction_verbose(&self, txid: &Txid) -> Answer<VerboseTx>;
    /// Header and height of the block that holds the transaction.
    fn block_of(&self, txid: &Txid) -> Answer<(HeaderBytes, Height)>;
    /// Merkle proof of `txid` in the block at `height`; `BadRequest` if it is not there.
    fn merkle_proof(&self, txid: &Txid, height: Height) -> Answer<TxProof>;
    /// The transaction at a position, with its proof; `BadRequest` if there is none.
    fn at_position(&self, height: Height, pos: u32) -> Answer<TxProof>;
    /// Funding and spending of an output.
    fn outpoint(&self, outpoint: &OutPoint) -> Answer<OutpointStatus>;
    /// The mempool in bins, highest fee rate first: the rate in tenths of a satoshi per virtual
    /// byte, and the virtual bytes that pay at least this rate but less than that of the bin
    /// before.
    fn fee_histogram(&self) -> Vec<(u64, u64)>;
    /// Up to `count` transactions that came into the mempool last, newest first.
    fn recent(&self, count: usize) -> Vec<RecentTx>;
    /// Says that a transaction was just sent to bitcoind, so that bitcoind's mempool is read soon.
    fn mempool_changed(&self);

    /// [`Answers::history_into`] as a list.
    fn history(&self, script: &ScriptHash) -> Answer<Vec<HistoryEntry>> {
        let mut list = Vec::new();
        self.history_into(script, &mut |_, entries| list.extend(entries))?;
        Ok(list)
    }

    /// [`Answers::unspent_into`] as a list.
    fn unspent(&self, script: &ScriptHash) -> Answer<Vec<Coin>> {
        let mut list = Vec::new();
        self.unspent_into(script, &mut |_, coins| list.extend(coins))?;
        Ok(list)
    }
}
