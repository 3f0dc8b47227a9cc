//! What the rows of `state` and `runs` say, and the tables of items, apart from how they are read.

use bitcoin::hashes::Hash;

use crate::ids::{BlockHash, Height, ShortPrefix};
use crate::index::chunk::{ChunkKey, Tally, TxRange};
use crate::index::rows::RowTable;

/// What the index is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildState {
    /// Batches go to the bulk database.
    Building,
    /// The bulk database's runs are merged into the main one.
    Merging,
    /// All runs are in the main database.
    Ready,
}

impl BuildState {
    /// The number that stands for it in the database.
    pub(super) fn number(self) -> u32 {
        self as u32
    }

    /// The state that a number stands for.
    pub(super) fn of_number(number: u32) -> Option<BuildState> {
        let all = [BuildState::Building, BuildState::Merging, BuildState::Ready];
        all.into_iter().find(|state| state.number() == number)
    }
}

/// How far the index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// What it is busy with.
    pub phase: BuildState,
    /// Number of blocks indexed.
    pub blocks: u32,
    /// Number of transactions in them.
    pub txs: u32,
    /// Hash of the last block; zeros if there is none.
    pub tip: BlockHash,
    /// Grows with every change that a reader must not mix with what came before.
    pub generation: i64,
}

impl State {
    /// Of an index with nothing in it.
    pub(super) fn empty() -> State {
        let tip = BlockHash::all_zeros();
        State { phase: BuildState::Building, blocks: 0, txs: 0, tip, generation: 0 }
    }

    /// The checksum of its row.
    pub(super) fn crc(&self) -> u32 {
        let mut bytes = Vec::with_capacity(64);
        for number in [self.phase.number(), self.blocks, self.txs] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(self.tip.to_byte_array());
        bytes.extend(self.generation.to_be_bytes());
        STATE.crc(0, &bytes)
    }

    /// Height of the last block indexed.
    pub fn height(&self) -> Option<Height> {
        self.blocks.checked_sub(1).map(Height)
    }
}

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunKind {
    /// Script hashes.
    Script = 0,
    /// Txids.
    Txid = 1,
}

impl RunKind {
    /// Both.
    pub const ALL: [RunKind; 2] = [RunKind::Script, RunKind::Txid];
}

/// One run: sorted postings of one kind over a range of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunInfo {
    /// Number, part of its table's name.
    pub id: i64,
    /// What it is about.
    pub kind: RunKind,
    /// Transactions that count; higher ones in it were disconnected.
    pub range: TxRange,
    /// Whether it is filled and in force.
    pub complete: bool,
    /// Whether it holds postings of disconnected transactions, at or above the end of `range`.
    pub cut: bool,
    /// Where a merge that fills it goes on.
    pub resume: ShortPrefix,
    /// Key of its last chunk.
    pub last: ChunkKey,
    /// Bytes of its chunks.
    pub bytes: u64,
    /// What was written, postings that do not count any more too.
    pub written: Tally,
    /// What must have been written when it is complete: counted before the run was made.
    pub wanted: Tally,
}

impl RunInfo {
    /// A run with nothing in it yet, to which `wanted` is to be written.
    pub fn empty(id: i64, kind: RunKind, range: TxRange, wanted: Tally) -> RunInfo {
        RunInfo {
            id,
            kind,
            range,
            complete: false,
            cut: false,
            resume: ShortPrefix(0),
            last: ChunkKey::NONE,
            bytes: 0,
            written: Tally::default(),
            wanted,
        }
    }

    /// The checksum of its row.
    pub(super) fn crc(&self) -> u32 {
        let mut bytes = Vec::with_capacity(96);
        for number in [
            self.kind as u64,
            u64::from(self.range.first.0),
            u64::from(self.range.end.0),
            u64::from(self.complete),
            u64::from(self.cut),
            self.resume.0,
            self.last.0 as u64,
            self.bytes,
            self.written.postings,
            self.written.sum,
            self.wanted.postings,
            self.wanted.sum,
        ] {
            bytes.extend(number.to_be_bytes());
        }
        RUNS.crc(self.id, &bytes)
    }
}

/// The lists of runs and states, as numbers under the checksums of their rows.
const RUNS: RowTable = RowTable::fixed(1);
const STATE: RowTable = RowTable::fixed(2);

/// Tables of equal-sized items; see [`crate::index::pages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemTable {
    /// Header and first txnum.
    Blocks,
    /// Merkle nodes.
    Nodes,
    /// File and offset of blocks.
    Positions,
    /// Where spans of transactions end, and their checksums.
    Spans,
}

impl ItemTable {
    /// All.
    pub const ALL: [ItemTable; 4] =
        [ItemTable::Blocks, ItemTable::Nodes, ItemTable::Positions, ItemTable::Spans];

    /// Its number under the checksums of its rows.
    pub const fn rows(self) -> RowTable {
        RowTable::fixed(match self {
            ItemTable::Blocks => 3,
            ItemTable::Nodes => 4,
            ItemTable::Positions => 5,
            ItemTable::Spans => 6,
        })
    }

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            ItemTable::Blocks => "blocks",
            ItemTable::Nodes => "nodes",
            ItemTable::Positions => "positions",
            ItemTable::Spans => "spans",
        }
    }
}
