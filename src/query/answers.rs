//! What a session may ask, and the shapes of the answers; one call is one consistent moment.

use bitcoin::{OutPoint, Txid};
use serde_json::Value;

use crate::ids::{HeaderBytes, Height, Prefix, ScriptHash};
use crate::live::touched::Touched;

/// Why a question has no answer. The texts go to the client.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// The first sync is not done; wire code -32603.
    #[error("unavailable index")]
    Building,
    /// The client asked for what does not exist (height above the tip, transaction not in that
    /// block); wire code 1.
    #[error("{0}")]
    BadRequest(String),
    /// No such transaction; wire code 2, as servers that ask bitcoind answer.
    #[error("{0}")]
    NotFound(String),
    /// A history over the limit, in postings or in time; wire code 10001.
    #[error("{0}")]
    TooLong(String),
    /// The same, but only for now: not read in time. What was read is kept, so asking again goes on
    /// there; wire code 10001.
    #[error("{0}")]
    TooSlow(String),
    /// bitcoind refused or is away; wire code 2.
    #[error("{0}")]
    Node(String),
    /// Too many costly questions at once; wire code -102.
    #[error("server busy - try again")]
    Busy,
    /// A stored position was wrong, a row damaged: the cause is being mended; wire code -32603.
    #[error("internal error: {0}")]
    Internal(String),
}

/// The result of a question.
pub type Answer<T> = Result<T, QueryError>;

/// The newest block served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: Height,
    /// Its header.
    pub header: HeaderBytes,
}

/// How a transaction is confirmed, in the words of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confirmation {
    /// In the block of that height.
    Block(Height),
    /// In the mempool, all inputs confirmed (wire height 0).
    Mempool,
    /// In the mempool with an unconfirmed input (wire height -1).
    MempoolChained,
}

impl Confirmation {
    /// The height as the protocol writes it: the block's, 0 or -1.
    pub fn wire_height(self) -> i64 {
        match self {
            Confirmation::Block(height) => i64::from(height.0),
            Confirmation::Mempool => 0,
            Confirmation::MempoolChained => -1,
        }
    }
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
    /// The block it is in; `None` in the mempool (wire height 0, never -1).
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

/// Siblings from leaf to root, internal byte order (shown byte-reversed on the wire).
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
pub enum Phase {
    /// First sync; only the tip and headers up to the indexed height are answered.
    Building,
    /// Ready for every question.
    Serving,
}

/// A change of the tip, told to every session.
#[derive(Clone, Debug)]
pub struct TipChange {
    /// The new tip.
    pub tip: Tip,
    /// What the connected and disconnected blocks and the mempool's changes touched.
    pub touched: Touched,
}

/// Takes a list: how many items there are, and the items. Nothing of it need be kept twice.
pub type Tell<'a, T> = &'a mut dyn FnMut(usize, &mut dyn Iterator<Item = T>);

/// Everything a session can ask of the index and the mempool. Calls may block on the disk, except
/// `phase`, `tip` and `report`, which answer from memory.
pub trait Answers: Send + Sync {
    /// How far the index is.
    fn phase(&self) -> Phase;
    /// The phase, heights and percent in words and figures, for `hekte status`.
    fn report(&self) -> Value;
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
    fn tell_history(&self, script: &ScriptHash, tell: Tell<'_, HistoryEntry>) -> Answer<()>;
    /// The mempool's entries alone, in canonical order (0 before -1, then txid as displayed).
    fn mempool_history(&self, script: &ScriptHash) -> Answer<Vec<HistoryEntry>>;
    /// The status hash of the history.
    fn status(&self, script: &ScriptHash) -> Answer<Status>;
    /// Sums.
    fn balance(&self, script: &ScriptHash) -> Answer<Balance>;
    /// Unspent outputs in chain order, the mempool's last.
    fn tell_unspent(&self, script: &ScriptHash, tell: Tell<'_, Coin>) -> Answer<()>;
    /// The serialised transaction.
    fn transaction(&self, txid: &Txid) -> Answer<Vec<u8>>;
    /// The transaction decoded, in bitcoind's shape (`getrawtransaction` verbose).
    fn transaction_verbose(&self, txid: &Txid) -> Answer<Value>;
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

    /// [`Answers::tell_history`] as a list.
    fn history(&self, script: &ScriptHash) -> Answer<Vec<HistoryEntry>> {
        let mut list = Vec::new();
        self.tell_history(script, &mut |_, entries| list.extend(entries))?;
        Ok(list)
    }

    /// [`Answers::tell_unspent`] as a list.
    fn unspent(&self, script: &ScriptHash) -> Answer<Vec<Coin>> {
        let mut list = Vec::new();
        self.tell_unspent(script, &mut |_, coins| list.extend(coins))?;
        Ok(list)
    }
}
