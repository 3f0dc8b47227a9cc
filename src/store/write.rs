//! Writing the tables, always inside one transaction that the caller opens and commits.

use rusqlite::{Transaction, params};

use crate::error::Result;
use crate::host::beat;
use crate::ids::TxNum;
use crate::index::chunk::{Chunk, TxRange};
use crate::index::items::{BlockItem, NODE_BYTES, PositionItem, first_node_of};
use crate::index::lens::LensWriter;
use crate::index::pages::{PageWriter, Row, items_per_row, row_of};

use super::error::{damaged, sql_error};
use super::open::Db;
use super::tables::{BuildState, ItemTable, RunInfo, RunKind, State};

/// One transaction; what is not committed is undone when it is dropped.
pub struct Change<'a> {
    tx: Transaction<'a>,
    db: &'a Db,
}

impl Db {
    /// Opens a transaction for writing.
    pub fn change(&self) -> Result<Change<'_>> {
        let tx = self.conn.unchecked_transaction().map_err(|error| self.error(error))?;
        Ok(Change { tx, db: self })
    }

    /// Writers that go on behind the last block of `state`.
    pub fn row_writers(&self, state: &State) -> Result<RowWriters> {
        let next_block = u64::from(state.blocks);
        let broken =
            |table: ItemTable| damaged(&self.path, format_args!("the end of {}", table.name()));
        let lens = match self.row_at_or_before(ItemTable::Lens, i64::from(state.txs) - 1)? {
            Some((key, row)) => {
                let first = u32::try_from(key).map_err(|_| broken(ItemTable::Lens))?;
                LensWriter::resume(TxNum(state.txs), TxNum(first), &row)
                    .ok_or_else(|| broken(ItemTable::Lens))?
            }
            None => LensWriter::new(TxNum(0)),
        };
        Ok(RowWriters {
            blocks: self.page_writer(ItemTable::Blocks, next_block)?,
            positions: self.page_writer(ItemTable::Positions, next_block)?,
            nodes: self.page_writer(ItemTable::Nodes, first_node_of(TxNum(state.txs)))?,
            lens,
        })
    }

    fn page_writer<const N: usize>(&self, table: ItemTable, next: u64) -> Result<PageWriter<N>> {
        let row = self.row(table, row_of(N, next))?.unwrap_or_default();
        match PageWriter::resume(next, &row) {
            Some(writer) => Ok(writer),
            // nodes of the last blocks may be missing: their slots were never filled
            None if table == ItemTable::Nodes => {
                let mut row = row;
                row.resize(row.len() + N * items_per_row(N) as usize, 0);
                PageWriter::resume(next, &row)
                    .ok_or_else(|| damaged(&self.path, "the end of nodes"))
            }
            None => Err(damaged(&self.path, format_args!("the end of {}", table.name()))),
        }
    }
}

/// The rows that grow at their end with every block.
#[derive(Debug)]
pub struct RowWriters {
    /// Header and first txnum.
    pub blocks: PageWriter<{ BlockItem::BYTES }>,
    /// Where blocks stand.
    pub positions: PageWriter<{ PositionItem::BYTES }>,
    /// Merkle nodes.
    pub nodes: PageWriter<NODE_BYTES>,
    /// Transaction lengths.
    pub lens: LensWriter,
}

/// Rows that have come since the last time.
#[derive(Clone, Debug, Default)]
pub struct NewRows {
    rows: [Vec<Row>; 4],
}

impl RowWriters {
    /// The rows that changed since the last call.
    pub fn take_rows(&mut self) -> NewRows {
        let rows = ItemTable::ALL.map(|table| match table {
            ItemTable::Blocks => self.blocks.take_rows(),
            ItemTable::Nodes => self.nodes.take_rows(),
            ItemTable::Positions => self.positions.take_rows(),
            ItemTable::Lens => self.lens.take_rows(),
        });
        NewRows { rows }
    }
}

impl Change<'_> {
    /// Makes it last.
    pub fn commit(self) -> Result<()> {
        let path = &self.db.path;
        beat::step();
        self.tx.commit().map_err(|error| sql_error(path, &error))
    }

    fn err(&self, error: rusqlite::Error) -> crate::error::Error {
        self.db.error(error)
    }

    /// Makes an empty run that is not yet in force; its number comes back.
    pub fn create_run(&self, kind: RunKind, range: TxRange) -> Result<i64> {
        let make = || -> rusqlite::Result<i64> {
            self.tx.execute(
                "INSERT INTO runs(kind, first, \"end\", complete, resume, postings, bytes) \
                 VALUES (?1, ?2, ?3, 0, 0, 0, 0)",
                params![kind as i64, range.first.0, range.end.0],
            )?;
            let id = self.tx.last_insert_rowid();
            self.tx.execute_batch(&format!(
                "CREATE TABLE run_{id} (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT"
            ))?;
            Ok(id)
        };
        make().map_err(|error| self.err(error))
    }

    /// Appends a chunk to a run.
    pub fn put_chunk(&self, run: i64, chunk: &Chunk) -> Result<()> {
        beat::step();
        let sql = format!("INSERT INTO run_{run}(key, data) VALUES (?1, ?2)");
        self.tx
            .prepare_cached(&sql)
            .and_then(|mut insert| insert.execute(params![chunk.key.0, chunk.bytes]))
            .map_err(|error| self.err(error))?;
        Ok(())
    }

    /// Says how far a run is filled.
    pub fn update_run(&self, run: &RunInfo) -> Result<()> {
        self.tx
            .execute(
                "UPDATE runs SET \"end\" = ?2, complete = ?3, resume = ?4, postings = ?5, \
                 bytes = ?6 WHERE id = ?1",
                params![
                    run.id,
                    run.range.end.0,
                    run.complete,
                    run.resume.0,
                    run.postings,
                    run.bytes
                ],
            )
            .map_err(|error| self.err(error))?;
        Ok(())
    }

    /// Removes a run and its postings.
    pub fn drop_run(&self, id: i64) -> Result<()> {
        self.tx
            .execute("DELETE FROM runs WHERE id = ?1", [id])
            .and_then(|_| self.tx.execute_batch(&format!("DROP TABLE IF EXISTS run_{id}")))
            .map_err(|error| self.err(error))
    }

    /// Stores rows, replacing those of the same key.
    pub fn put_rows(&self, table: ItemTable, rows: &[Row]) -> Result<()> {
        let sql = format!("INSERT OR REPLACE INTO {}(key, data) VALUES (?1, ?2)", table.name());
        let mut insert = self.tx.prepare_cached(&sql).map_err(|error| self.err(error))?;
        for row in rows {
            insert.execute(params![row.key, row.bytes]).map_err(|error| self.err(error))?;
        }
        Ok(())
    }

    /// Stores rows of all tables.
    pub fn put_new_rows(&self, new: &NewRows) -> Result<()> {
        for (table, rows) in ItemTable::ALL.into_iter().zip(&new.rows) {
            self.put_rows(table, rows)?;
        }
        Ok(())
    }

    /// Writes the state row.
    pub fn set_state(&self, state: &State) -> Result<()> {
        let phase = match state.phase {
            BuildState::Building => 0,
            BuildState::Merging => 1,
            BuildState::Ready => 2,
        };
        self.tx
            .execute(
                "UPDATE state SET phase = ?1, blocks = ?2, txs = ?3, tip = ?4, generation = ?5",
                params![phase, state.blocks, state.txs, &state.tip[..], state.generation],
            )
            .map_err(|error| self.err(error))?;
        Ok(())
    }

    /// Takes out everything at and above a txnum: runs above are dropped, one that straddles it
    /// counts only up to it.
    pub fn cut_runs(&self, end: TxNum) -> Result<()> {
        for mut run in self.db.runs()? {
            if run.range.first >= end || (!run.complete && run.range.end > end) {
                self.drop_run(run.id)?;
            } else if run.range.end > end {
                run.range.end = end;
                self.update_run(&run)?;
            }
        }
        Ok(())
    }

    /// Takes out the rows that lie wholly behind `state`, so that writers resume at its end.
    pub fn cut_rows(&self, state: &State) -> Result<()> {
        let blocks = u64::from(state.blocks);
        let cut = |table: ItemTable, from: i64| -> Result<()> {
            let sql = format!("DELETE FROM {} WHERE key >= ?1", table.name());
            self.tx.execute(&sql, [from]).map_err(|error| self.err(error))?;
            Ok(())
        };
        let node = first_node_of(TxNum(state.txs));
        cut(ItemTable::Blocks, row_of(BlockItem::BYTES, blocks) + 1)?;
        cut(ItemTable::Positions, row_of(PositionItem::BYTES, blocks) + 1)?;
        cut(ItemTable::Nodes, row_of(NODE_BYTES, node) + 1)?;
        cut(ItemTable::Lens, i64::from(state.txs))
    }
}
