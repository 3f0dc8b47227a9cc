//! The write-ahead log. hekte decides when it is copied into the database and cut off; SQLite by
//! itself would do so at times that do not suit.

use std::fs;
use std::time::Duration;

use super::folder::LOG_ENDING;
use super::open::Db;
use crate::error::Result;

/// How long a checkpoint waits for questions that are still answered from the log.
const READERS_PATIENCE: Duration = Duration::from_millis(500);

impl Db {
    /// Copies the log into the database and cuts it off; a reader that still uses the log may
    /// prevent that. Returns the bytes that are left in the log.
    pub fn checkpoint(&self) -> Result<u64> {
        let error = |error| self.error(error);
        self.conn.busy_timeout(READERS_PATIENCE).map_err(error)?;
        let outcome = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        self.conn.busy_timeout(super::open::PATIENCE).map_err(error)?;
        outcome.map_err(error)?;
        let mut log = self.path.clone().into_os_string();
        log.push(LOG_ENDING);
        Ok(fs::metadata(log).map_or(0, |meta| meta.len()))
    }

    /// Bytes of the file's free pages, which are used before the file grows.
    pub fn unused_bytes(&self) -> Result<u64> {
        let pages = self.pragma("freelist_count")?;
        let page_bytes = self.pragma("page_size")?;
        Ok(u64::try_from(pages.saturating_mul(page_bytes)).unwrap_or(0))
    }
}
