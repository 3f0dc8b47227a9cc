//! What a session may ask, and the shapes of the answers; one call is one consistent moment.

use crate::ids::{HeaderBytes, Height, OutPoint, Prefix, ScriptHash, Txid};
use crate::live::tip::Tip;

use super::decoded::VerboseTx;

/// Why a question has no answer. The texts go to the client.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// The first sync is not done.
    #[error("unavailable index")]
    Building,
    /// The client asked for what does not exist: a height above the tip, a transaction that is not
    /// in that block.
    #[error("{0}")]
    BadRequest(String),
    /// No such transaction.
    #[error("{0}")]
    NotFound(String),
    /// A history over the limit, in postings or in time.
    #[error("{0}")]
    TooLong(String),
    /// A history that was not read in time. What was read is kept, so asking again goes on there.
    #[error("{0}")]
    TooSlow(String),
    /// bitcoind refused or cannot be asked.
    #[error("{0}")]
    Node(String),
    /// Too many costly questions at once.
    #[error("server busy - try again")]
    Busy,
    /// A stored position was wrong, a row damaged: the cause is being mended.
    #[error("internal error: {0}")]
    Internal(String),
}

/// The result of a question.
pub type Answer<T> = Result<T, QueryError>;

/// How a transaction is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confirmation {
    /// In the block of that height.
    Block(Height),
    /// In the mempool, all inputs confirmed
    Mempool,
    /// In the mempool with an unconfirmed input.
    MempoolChained,
}

/// One line of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The transaction.
    pub txid: Txid,
    /// Where it stands.
    pub confirmation: Confirmation,
    /// Fee in satoshi; only for unconfirmed ones.
    pub fee: Option<u64>,
}

/// An unspent output of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coin {
    /// Which output.
    pub outpoint: OutPoint,
    /// The block it is in; `None` in the mempool.
    pub height: Option<Height>,
    /// Value in satoshi.
    pub value: u64,
}

/// Balance of a script, satoshi.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Sum of the confirmed unspent outputs, the mempool left aside.
    pub confirmed: u64,
    /// What the mempool adds or takes.
    pub unconfirmed: i64,
}

/// SHA-256 over a history (protocol basics, "Status"), shown as plain hex; `None` if never used.
pub type Status = Option<[u8; 32]>;

/// Siblings from leaf to root, internal byte order.
pub type Branch = Vec<[u8; 32]>;

/// Proof that a header is among those up to a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderProof {
    /// Siblings from the header's hash upwards.
    pub branch: Branch,
    /// Root over all header hashes up to the checkpoint, internal byte order.
    pub root: [u8; 32],
}

/// Headers, and the proof for the last of them.
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
    /// Satoshi.
    pub fee: u64,
    /// Virtual bytes.
    pub vsize: u32,
}

/// How far the index is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// First sync; only the tip and headers up to the indexed height are answered.
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
    /// The last block indexed.
    pub height: u32,
    /// The last block there will be.
    pub target: u32,
    /// How much of the phase is done.
    pub percent: f64,
    /// Seconds since the phase began.
    pub seconds_in_phase: u64,
    /// Seconds until the phase ends, at its present pace, where that can be said.
    pub seconds_left: Option<u64>,
    /// Bytes of blocks read in a second lately, while blocks are read.
    pub bytes_per_second: Option<u64>,
    /// Pairs of runs that questions look into.
    pub runs: usize,
    /// Whether every question is answered.
    pub synced: bool,
    /// What keeps hekte from going on.
    pub trouble: Option<String>,
}

/// Takes a list: how many items there are, and the items one by one, so that a long list is never
/// in memory twice.
pub type ListSink<'a, T> = &'a mut dyn FnMut(usize, &mut dyn Iterator<Item = T>);

/// Everything a session can ask of the index and the mempool. Calls may block on the disk, except
/// `readiness`, `tip` and `status_report`, which answer from memory.
pub trait Answers: Send + Sync {
    /// How far the index is.
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
    /// Confirmed entries in chain order, then the mempool's in canonical order.
    fn history_into(&self, script: &ScriptHash, sink: ListSink<'_, HistoryEntry>) -> Answer<()>;
    /// The mempool's entries alone, in canonical order (0 before -1, then txid as displayed).
    fn mempool_history(&self, script: &ScriptHash) -> Answer<Vec<HistoryEntry>>;
    /// The status hash of the history.
    fn status(&self, script: &ScriptHash) -> Answer<Status>;
    /// Sums.
    fn balance(&self, script: &ScriptHash) -> Answer<Balance>;
    /// Unspent outputs in chain order, the mempool's last.
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
    /// Fee rate in tenths of a satoshi per virtual byte, and the virtual bytes that pay between
    /// that and the rate before; rates falling.
    fn fee_histogram(&self) -> Vec<(u64, u64)>;
    /// Up to `count` transactions that came into the mempool last, newest first.
    fn recent(&self, count: usize) -> Vec<RecentTx>;
    /// Something was just sent to bitcoind: its mempool is worth a look.
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
