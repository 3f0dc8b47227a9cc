//! Reading the tables: state, runs, rows of items; checksums checked at every row.

use bitcoin::hashes::Hash;
use rusqlite::{OptionalExtension, Row};

use crate::error::Result;
use crate::ids::{BlockHash, Height, Prefix, TxNum};
use crate::index::chunk::{ChunkDecoder, ChunkKey, DamagedChunk, TxRange, open_row};

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
    /// The first prefix that the merge that fills it has still to write.
    pub resume: Prefix,
    /// Postings written.
    pub postings: u64,
    /// Bytes of its chunks.
    pub bytes: u64,
}

/// Tables of equal-sized items; see [`crate::index::pages`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemTable {
    /// Header and first txnum.
    Blocks,
    /// Merkle nodes.
    Nodes,
    /// File and offset of blocks.
    Positions,
    /// Transaction lengths, filed by first txnum.
    Lens,
}

impl ItemTable {
    /// All.
    pub const ALL: [ItemTable; 4] =
        [ItemTable::Blocks, ItemTable::Nodes, ItemTable::Positions, ItemTable::Lens];

    /// Its name in the database.
    pub fn name(self) -> &'static str {
        match self {
            ItemTable::Blocks => "blocks",
            ItemTable::Nodes => "nodes",
            ItemTable::Positions => "positions",
            ItemTable::Lens => "lens",
        }
    }
}

impl Db {
    /// The state row.
    pub fn state(&self) -> Result<State> {
        let read = |row: &Row<'_>| -> rusqlite::Result<_> {
            let phase: i64 = row.get(0)?;
            let tip: Vec<u8> = row.get(3)?;
            Ok((phase, row.get(1)?, row.get(2)?, tip, row.get(4)?))
        };
        let sql = "SELECT phase, blocks, txs, tip, generation FROM state";
        let (phase, blocks, txs, tip, generation) = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row([], read))
            .map_err(|error| self.error(error))?;
        let phase = match phase {
            0 => BuildState::Building,
            1 => BuildState::Merging,
            2 => BuildState::Ready,
            _ => return Err(damaged(&self.path, "table state")),
        };
        let tip = match (blocks, tip.try_into()) {
            (0, _) => BlockHash::all_zeros(),
            (_, Ok(tip)) => BlockHash::from_byte_array(tip),
            _ => return Err(damaged(&self.path, "table state")),
        };
        Ok(State { phase, blocks, txs, tip, generation })
    }

    /// All runs, by kind and first txnum.
    pub fn runs(&self) -> Result<Vec<RunInfo>> {
        let sql = "SELECT id, kind, first, \"end\", complete, resume, postings, bytes \
                   FROM runs ORDER BY kind, first, id";
        let read = |row: &Row<'_>| -> rusqlite::Result<RunInfo> {
            let kind: i64 = row.get(1)?;
            Ok(RunInfo {
                id: row.get(0)?,
                kind: if kind == 0 { RunKind::Script } else { RunKind::Txid },
                range: TxRange { first: TxNum(row.get(2)?), end: TxNum(row.get(3)?) },
                complete: row.get(4)?,
                resume: Prefix(row.get(5)?),
                postings: row.get(6)?,
                bytes: row.get(7)?,
            })
        };
        let collect = || -> rusqlite::Result<Vec<RunInfo>> {
            self.conn.prepare_cached(sql)?.query_map([], read)?.collect()
        };
        collect().map_err(|error| self.error(error))
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
        row.map(|row| self.opened(table, key, row)).transpose()
    }

    /// The first row whose key is at least `key`, with its key. SQLite reads one page of rows for
    /// it, where it reads two to find the last row at or before a key.
    pub fn row_at_or_behind(&self, table: ItemTable, key: i64) -> Result<Option<(i64, Vec<u8>)>> {
        let sql =
            format!("SELECT key, data FROM {} WHERE key >= ?1 ORDER BY key LIMIT 1", table.name());
        self.row_by(table, &sql, key)
    }

    /// The last row whose key is at most `key`, with its key.
    pub fn row_at_or_before(&self, table: ItemTable, key: i64) -> Result<Option<(i64, Vec<u8>)>> {
        let sql = format!(
            "SELECT key, data FROM {} WHERE key <= ?1 ORDER BY key DESC LIMIT 1",
            table.name()
        );
        self.row_by(table, &sql, key)
    }

    fn row_by(&self, table: ItemTable, sql: &str, key: i64) -> Result<Option<(i64, Vec<u8>)>> {
        let found = self
            .conn
            .prepare_cached(sql)
            .and_then(|mut query| {
                query.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()
            })
            .map_err(|error| self.error(error))?;
        found.map(|(key, row)| Ok((key, self.opened(table, key, row)?))).transpose()
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
        while let Some(row) = rows.next().map_err(error)? {
            let key: i64 = row.get(0).map_err(error)?;
            let data = row.get_ref(1).and_then(|data| Ok(data.as_blob()?)).map_err(error)?;
            let opened = open_row(key, data)
                .ok_or_else(|| damaged(&self.path, format_args!("{} row {key}", table.name())))?;
            visit(key, opened)?;
        }
        Ok(())
    }

    /// Adds to `txnums` every transaction of a run, from number `from` on, that is filed under
    /// `prefix`; stops when there are more than `limit`.
    pub fn find(
        &self,
        run: &RunInfo,
        prefix: Prefix,
        from: TxNum,
        limit: usize,
        txnums: &mut Vec<TxNum>,
    ) -> Result<()> {
        let sql = format!(
            "SELECT key, data FROM run_{0} WHERE key <= ?2 AND key >= \
             coalesce((SELECT max(key) FROM run_{0} WHERE key < ?1), 0) ORDER BY key",
            run.id
        );
        let error = |error| self.error(error);
        let start = ChunkKey::first_of(prefix).0;
        let to = ChunkKey::last_of(prefix).0;
        let mut query = self.conn.prepare_cached(&sql).map_err(error)?;
        let mut rows = query.query([start, to]).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            let key = ChunkKey(row.get(0).map_err(error)?);
            let data = row.get_ref(1).and_then(|data| Ok(data.as_blob()?)).map_err(error)?;
            let decoder = ChunkDecoder::new(key, data, run.range.first)
                .map_err(|e| self.damaged_chunk(run, key, e))?;
            for posting in decoder {
                let posting = posting.map_err(|e| self.damaged_chunk(run, key, e))?;
                if posting.prefix > prefix {
                    break;
                }
                let counts = posting.txnum >= from && run.range.contains(posting.txnum);
                if posting.prefix == prefix && counts {
                    txnums.push(posting.txnum);
                }
            }
            if txnums.len() > limit {
                break;
            }
        }
        Ok(())
    }

    /// The error for a chunk that cannot be read.
    pub fn damaged_chunk(
        &self,
        run: &RunInfo,
        key: ChunkKey,
        _: DamagedChunk,
    ) -> crate::error::Error {
        damaged(&self.path, format_args!("run {} chunk {}", run.id, key.0))
    }

    fn opened(&self, table: ItemTable, key: i64, mut row: Vec<u8>) -> Result<Vec<u8>> {
        match open_row(key, &row).map(<[u8]>::len) {
            Some(len) => {
                row.truncate(len);
                Ok(row)
            }
            None => Err(damaged(&self.path, format_args!("{} row {key}", table.name()))),
        }
    }
}
