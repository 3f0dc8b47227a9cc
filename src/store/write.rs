//! Writes the tables, always inside one transaction that the caller opens and commits.

use std::path::Path;

use rusqlite::{Transaction, params};

use crate::error::Result;
use crate::host::beat;
use crate::ids::{Height, PrefixBits, TxNum};
use crate::index::chunk::{ChunkKey, Tally, TxRange};
use crate::index::items::{BlockItem, NODE_BYTES, PositionItem};
use crate::index::pages::{PageWriter, Row, row_of};
use crate::index::spans::{SpanItem, first_span_of};

use super::error::{damaged, sql_error};
use super::open::Db;
use super::records::{ItemTable, RunInfo, RunKind, State};

/// One transaction; it is undone if it is dropped before it is committed.
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
}

/// Writers of the item tables, which grow at their end with every block.
#[derive(Debug)]
pub struct RowWriters {
    /// Header, first txnum, length and weight of each block.
    pub blocks: PageWriter<{ BlockItem::BYTES }>,
    /// Where each block stands, and its undo record.
    pub positions: PageWriter<{ PositionItem::BYTES }>,
    /// The Merkle node over each span.
    pub nodes: PageWriter<NODE_BYTES>,
    /// Where each span ends in its block, and its checksum.
    pub spans: PageWriter<{ SpanItem::BYTES }>,
}

/// Rows of all item tables that changed since they were last taken.
#[derive(Clone, Debug, Default)]
pub struct NewRows {
    rows: [Vec<Row>; 4],
}

impl RowWriters {
    /// Takes the rows that changed since the last call.
    pub fn take_rows(&mut self) -> NewRows {
        let rows = ItemTable::ALL.map(|table| match table {
            ItemTable::Blocks => self.blocks.take_rows(),
            ItemTable::Nodes => self.nodes.take_rows(),
            ItemTable::Positions => self.positions.take_rows(),
            ItemTable::Spans => self.spans.take_rows(),
        });
        NewRows { rows }
    }
}

impl Change<'_> {
    /// Commits the transaction.
    pub fn commit(self) -> Result<()> {
        let path = &self.db.path;
        beat::step();
        self.tx.commit().map_err(|error| sql_error(path, &error))
    }

    fn err(&self, error: rusqlite::Error) -> crate::error::Error {
        self.db.error(error)
    }

    /// A row that is to be changed must be there, else the change is lost and nobody notices.
    fn one_row(&self, rows: usize, table: &str) -> Result<()> {
        if rows == 1 { Ok(()) } else { Err(damaged(&self.db.path, table)) }
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.db.path
    }

    /// How many bits of a prefix its runs hold.
    pub fn prefix_bits(&self) -> PrefixBits {
        self.db.prefix_bits
    }

    /// Makes an empty run that is not yet in force; `wanted` is the tally of what is to be written
    /// to it.
    pub fn create_run(&self, kind: RunKind, range: TxRange, wanted: Tally) -> Result<RunInfo> {
        let make = || -> rusqlite::Result<i64> {
            // the row's checksum covers the run's number, which is known only after this; so the
            // row is written again below
            self.tx.execute(
                "INSERT INTO runs VALUES (NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
                [],
            )?;
            let id = self.tx.last_insert_rowid();
            self.tx.execute_batch(&format!(
                "CREATE TABLE run_{id} (key INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT"
            ))?;
            Ok(id)
        };
        let id = make().map_err(|error| self.err(error))?;
        let run = RunInfo::empty(id, kind, range, wanted);
        self.update_run(&run)?;
        Ok(run)
    }

    /// Appends a sealed chunk to a run.
    pub fn put_chunk(&self, run: i64, key: ChunkKey, row: &[u8]) -> Result<()> {
        beat::step();
        let sql = format!("INSERT INTO run_{run}(key, data) VALUES (?1, ?2)");
        self.tx
            .prepare_cached(&sql)
            .and_then(|mut insert| insert.execute(params![key.0, row]))
            .map_err(|error| self.err(error))?;
        Ok(())
    }

    /// Writes the row of a run.
    pub fn update_run(&self, run: &RunInfo) -> Result<()> {
        let RunInfo { kind, range, written, wanted, .. } = run;
        self.tx
            .prepare_cached(
                "UPDATE runs SET kind = ?2, first = ?3, \"end\" = ?4, complete = ?5, cut = ?6, \
                 resume = ?7, last = ?8, bytes = ?9, postings = ?10, sum = ?11, \
                 wanted_postings = ?12, wanted_sum = ?13, crc = ?14 WHERE id = ?1",
            )
            .and_then(|mut update| {
                update.execute(params![
                    run.id,
                    *kind as i64,
                    range.first.0,
                    range.end.0,
                    run.complete,
                    run.cut,
                    run.resume.0.cast_signed(),
                    run.last.0,
                    run.bytes.cast_signed(),
                    written.postings.cast_signed(),
                    written.sum.cast_signed(),
                    wanted.postings.cast_signed(),
                    wanted.sum.cast_signed(),
                    run.crc(),
                ])
            })
            .map_err(|error| self.err(error))
            .and_then(|rows| self.one_row(rows, "table runs"))
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

    /// Stores the rows of all item tables.
    pub fn put_new_rows(&self, new: &NewRows) -> Result<()> {
        for (table, rows) in ItemTable::ALL.into_iter().zip(&new.rows) {
            self.put_rows(table, rows)?;
        }
        Ok(())
    }

    /// Writes the state row.
    pub fn set_state(&self, state: &State) -> Result<()> {
        let State { phase, blocks, txs, tip, generation } = state;
        self.tx
            .execute(
                "UPDATE state SET phase = ?1, blocks = ?2, txs = ?3, tip = ?4, generation = ?5, \
                 crc = ?6",
                params![phase.number(), blocks, txs, &tip[..], generation, state.crc()],
            )
            .map_err(|error| self.err(error))
            .and_then(|rows| self.one_row(rows, "table state"))
    }

    /// Takes out all postings at and above a txnum. Runs above it are dropped, and so are
    /// unfinished ones that reach beyond it; a complete run that reaches beyond it counts only up
    /// to it.
    pub fn cut_runs(&self, end: TxNum) -> Result<()> {
        for mut run in self.db.runs()? {
            if run.range.first >= end || (!run.complete && run.range.end > end) {
                self.drop_run(run.id)?;
            } else if run.range.end > end {
                run.range.end = end;
                run.cut = true;
                self.update_run(&run)?;
            }
        }
        Ok(())
    }

    /// Takes out the rows that lie wholly behind `state`, so that writers go on at its end.
    pub fn cut_rows(&self, state: &State) -> Result<()> {
        let blocks = u64::from(state.blocks);
        let cut = |table: ItemTable, from: i64| -> Result<()> {
            let sql = format!("DELETE FROM {} WHERE key >= ?1", table.name());
            self.tx.execute(&sql, [from]).map_err(|error| self.err(error))?;
            Ok(())
        };
        let span = first_span_of(Height(state.blocks), TxNum(state.txs));
        cut(ItemTable::Blocks, row_of(BlockItem::BYTES, blocks) + 1)?;
        cut(ItemTable::Positions, row_of(PositionItem::BYTES, blocks) + 1)?;
        cut(ItemTable::Nodes, row_of(NODE_BYTES, span) + 1)?;
        cut(ItemTable::Spans, row_of(SpanItem::BYTES, span) + 1)
    }
}
