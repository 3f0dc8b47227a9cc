//! Reading the tables: state, runs, rows of items; checksums checked at every row.

use bitcoin::hashes::Hash;
use rusqlite::{OptionalExtension, Row};

use crate::error::Result;
use crate::ids::{BlockHash, Height, ShortPrefix, TxNum};
use crate::index::chunk::{ChunkKey, Tally, TxRange};
use crate::index::rows::RowTable;

use super::error::damaged;
use super::open::Db;

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
    const ALL: [BuildState; 3] = [BuildState::Building, BuildState::Merging, BuildState::Ready];

    /// As it is stored.
    pub(super) fn number(self) -> u32 {
        self as u32
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

impl Db {
    /// The state row.
    pub fn state(&self) -> Result<State> {
        let read = |row: &Row<'_>| -> rusqlite::Result<_> {
            let (phase, tip): (u32, [u8; 32]) = (row.get(0)?, row.get(3)?);
            let (blocks, txs, generation) = (row.get(1)?, row.get(2)?, row.get(4)?);
            let tip = BlockHash::from_byte_array(tip);
            let phase = BuildState::ALL.into_iter().find(|known| known.number() == phase);
            let crc: u32 = row.get(5)?;
            let state = |phase| State { phase, blocks, txs, tip, generation };
            Ok(phase.map(state).filter(|state| state.crc() == crc))
        };
        let sql = "SELECT phase, blocks, txs, tip, generation, crc FROM state";
        let state = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row([], read))
            .map_err(|error| self.error(error))?;
        state.ok_or_else(|| damaged(&self.path, "table state"))
    }

    /// All runs, by kind and first txnum.
    pub fn runs(&self) -> Result<Vec<RunInfo>> {
        let sql = "SELECT id, kind, first, \"end\", complete, cut, resume, last, bytes, postings, \
                   sum, wanted_postings, wanted_sum, crc FROM runs ORDER BY kind, first, id";
        let read = |row: &Row<'_>| -> rusqlite::Result<Option<RunInfo>> {
            let unsigned = |at: usize| row.get(at).map(i64::cast_unsigned);
            let tally = |at| -> rusqlite::Result<Tally> {
                Ok(Tally { postings: unsigned(at)?, sum: unsigned(at + 1)? })
            };
            let kind: i64 = row.get(1)?;
            let run = RunInfo {
                id: row.get(0)?,
                kind: if kind == 0 { RunKind::Script } else { RunKind::Txid },
                range: TxRange { first: TxNum(row.get(2)?), end: TxNum(row.get(3)?) },
                complete: row.get(4)?,
                cut: row.get(5)?,
                resume: ShortPrefix(unsigned(6)?),
                last: ChunkKey(row.get(7)?),
                bytes: unsigned(8)?,
                written: tally(9)?,
                wanted: tally(11)?,
            };
            let crc: u32 = row.get(13)?;
            Ok(Some(run).filter(|run| run.crc() == crc))
        };
        let collect = || -> rusqlite::Result<Option<Vec<RunInfo>>> {
            self.conn.prepare_cached(sql)?.query_map([], read)?.collect()
        };
        let runs = collect().map_err(|error| self.error(error))?;
        runs.ok_or_else(|| damaged(&self.path, "table runs"))
    }

    /// The row of that key without its checksum.
    pub fn row(&self, table: ItemTable, key: i64) -> Result<Option<Vec<u8>>> {
        let sql = format!("SELECT data FROM {} WHERE key = ?1", table.name());
        let read = |row: &Row<'_>| -> rusqlite::Result<Vec<u8>> { row.get(0) };
        let row = self
            .conn
            .prepare_cached(&sql)
            .and_then(|mut query| query.query_row([key], read).optional())
            .map_err(|error| self.error(error))?;
        let opened = |mut row: Vec<u8>| match table.rows().open(key, &row).map(<[u8]>::len) {
            Some(len) => {
                row.truncate(len);
                Ok(row)
            }
            None => Err(damaged(&self.path, format_args!("{} row {key}", table.name()))),
        };
        row.map(opened).transpose()
    }

    /// Calls `visit` with every row of a table in order.
    pub fn each_row(
        &self,
        table: ItemTable,
        mut visit: impl FnMut(i64, &[u8]) -> Result<()>,
    ) -> Result<()> {
        let sql = format!("SELECT key, data FROM {} ORDER BY key", table.name());
        let error = |error| self.error(error);
        let mut query = self.conn.prepare(&sql).map_err(error)?;
        let mut rows = query.query([]).map_err(error)?;
        let mut next = 0;
        while let Some(row) = rows.next().map_err(error)? {
            let key: i64 = row.get(0).map_err(error)?;
            // rows of nodes that are not used are left out; of any other table all are there
            if key < next || key > next && table != ItemTable::Nodes {
                return Err(damaged(&self.path, format_args!("{} row {next}", table.name())));
            }
            next = key.saturating_add(1);
            let data = row.get_ref(1).and_then(|data| Ok(data.as_blob()?)).map_err(error)?;
            let opened = table
                .rows()
                .open(key, data)
                .ok_or_else(|| damaged(&self.path, format_args!("{} row {key}", table.name())))?;
            visit(key, opened)?;
        }
        Ok(())
    }
}
