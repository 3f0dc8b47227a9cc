//! Reading the tables: state, runs, rows of items; checksums checked at every row.

use bitcoin::hashes::Hash;
use rusqlite::{OptionalExtension, Row};

use crate::error::Result;
use crate::ids::{BlockHash, ShortPrefix, TxNum};
use crate::index::chunk::{ChunkKey, Tally, TxRange};

use super::error::damaged;
use super::open::Db;
use super::records::{BuildState, ItemTable, RunInfo, RunKind, State};

impl Db {
    /// The state row.
    pub fn state(&self) -> Result<State> {
        let read = |row: &Row<'_>| -> rusqlite::Result<_> {
            let (phase, tip): (u32, [u8; 32]) = (row.get(0)?, row.get(3)?);
            let (blocks, txs, generation) = (row.get(1)?, row.get(2)?, row.get(4)?);
            let tip = BlockHash::from_byte_array(tip);
            let phase = BuildState::of_number(phase);
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
