//! One consistent moment of the database for a reader, and SQLite's own check of its file.

use crate::error::Result;

use super::error::damaged;
use super::open::Db;

impl Db {
    /// Begins a read transaction. All its reads see the database as it is at the first of them.
    pub fn begin_read(&self) -> Result<()> {
        self.conn.execute_batch("BEGIN").map_err(|error| self.error(error))
    }

    /// Ends the read transaction.
    pub fn end_read(&self) -> Result<()> {
        self.conn.execute_batch("ROLLBACK").map_err(|error| self.error(error))
    }

    /// Lets SQLite check the structure of its file.
    pub fn quick_check(&self) -> Result<()> {
        let check = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        match self.conn.query_row("PRAGMA quick_check(1)", [], check) {
            Ok(outcome) if outcome == "ok" => Ok(()),
            Ok(outcome) => Err(damaged(&self.path, outcome)),
            Err(error) => Err(self.error(error)),
        }
    }
}
