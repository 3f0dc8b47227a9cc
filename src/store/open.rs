//! Opens a database: sets it up for how it is used, then checks whose it is, of which network and
//! of which version. What does not fit is refused; nothing is guessed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bitcoin::hashes::Hash;
use log::warn;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::chain::params::ChainParams;
use crate::error::{Error, Result};
use crate::ids::PrefixBits;
use crate::index::rows::RowTable;
use crate::limits::PAGE_BYTES;

use super::error::{damaged, sql_error};
use super::records::State;

/// "hekt": marks the file as ours (SQLite's application id).
const APPLICATION_ID: i64 = 0x6865_6b74;
/// Grows with every change of the tables or of the bytes in them.
pub const FORMAT_VERSION: i64 = 2;
/// Size of a connection's page cache.
const CACHE_KIB: i64 = 2048;
/// The size to which the write-ahead log is cut back after a checkpoint.
const JOURNAL_LIMIT_BYTES: i64 = 64 << 20;

/// How long a statement waits for a lock that another connection holds.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a build waits, before it begins, for the last readers to close the database.
const WAL_PATIENCE: Duration = Duration::from_secs(25);

/// How a database is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For large appends in few transactions, while nothing reads. A rollback journal then writes
    /// every byte once, where a write-ahead log would write it twice.
    Bulk,
    /// For small transactions beside readers, through a write-ahead log. A power cut may take back
    /// the last commits (their blocks are read again), but never leaves a part of one.
    ReadWrite,
    /// For reading only.
    Read,
}

/// A connection and the path for its error messages.
#[derive(Debug)]
pub struct Db {
    /// The connection; SQL is written in this folder only.
    pub(super) conn: Connection,
    /// The file.
    pub path: PathBuf,
    /// How many bits of a prefix its runs hold.
    pub(super) prefix_bits: PrefixBits,
}

/// The table of the network, as a number under the checksum of its row.
const NETWORK: RowTable = RowTable::fixed(7);

/// The checksum of the network's row, which says for which format version it was written, too.
fn network_crc(genesis: &[u8], magic: &[u8]) -> u32 {
    NETWORK.crc(FORMAT_VERSION, &[genesis, magic].concat())
}

const SCHEMA: &str = include_str!("schema.sql");

impl Db {
    /// Opens a database of hekte, or makes one. `params` must be those of the network it was made
    /// for.
    pub fn open(path: &Path, params: &ChainParams, mode: Mode) -> Result<Db> {
        if let (Some(folder), true) = (path.parent(), mode != Mode::Read) {
            fs::create_dir_all(folder).map_err(|error| {
                Error::NoPermission(format!(
                    "{}: the data folder cannot be made ({error}); make it and give it to \
                     hekte's user, or choose another with --data-dir",
                    folder.display()
                ))
            })?;
        }
        let mut flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags |= match mode {
            Mode::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            _ => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        };
        if mode == Mode::Read && !path.exists() {
            return Err(Error::NoInput(format!(
                "{}: there is no index yet; `hekte` builds it",
                path.display()
            )));
        }
        let conn = Connection::open_with_flags(path, flags).map_err(|e| sql_error(path, &e))?;
        let db = Db { conn, path: path.into(), prefix_bits: params.prefix_bits() };
        db.settings(mode).map_err(|error| sql_error(path, &error))?;
        db.identify(params, mode)?;
        Ok(db)
    }

    /// How many bits of a prefix its runs hold.
    pub fn prefix_bits(&self) -> PrefixBits {
        self.prefix_bits
    }

    /// An SQLite error with this database's path.
    pub fn error(&self, error: rusqlite::Error) -> Error {
        sql_error(&self.path, &error)
    }

    fn settings(&self, mode: Mode) -> rusqlite::Result<()> {
        let conn = &self.conn;
        conn.busy_timeout(PATIENCE)?;
        // this is for a database that is yet to be made; an existing one keeps its page size
        conn.pragma_update(None, "page_size", PAGE_BYTES as i64)?;
        conn.pragma_update(None, "cache_size", -CACHE_KIB)?;
        conn.pragma_update(None, "mmap_size", 0)?;
        conn.pragma_update(None, "foreign_keys", false)?;
        conn.set_prepared_statement_cache_capacity(64);
        match mode {
            Mode::Bulk => {
                self.leave_wal()?;
                conn.pragma_update(None, "synchronous", "FULL")?;
            }
            Mode::ReadWrite => {
                conn.pragma_update(None, "journal_mode", "WAL")?;
                conn.pragma_update(None, "synchronous", "NORMAL")?;
                conn.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT_BYTES)?;
            }
            Mode::Read => {}
        }
        Ok(())
    }

    /// Changes to a rollback journal. SQLite refuses that while another connection has the database
    /// open, for a last question or for `hekte verify`. If that lasts, the build stays in
    /// write-ahead mode, which is as safe but writes every byte twice.
    fn leave_wal(&self) -> rusqlite::Result<()> {
        let begun = Instant::now();
        loop {
            match self.conn.pragma_update(None, "journal_mode", "TRUNCATE") {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    if begun.elapsed() > WAL_PATIENCE {
                        warn!("{}: in use, so it stays in write-ahead mode", self.path.display());
                        return Ok(());
                    }
                    std::thread::sleep(Duration::from_millis(100));
                }
                other => return other,
            }
        }
    }

    /// Refuses a file that is not ours, of another version or for another network. Such a file is
    /// not to be touched, so it must be told from one of ours with a flipped bit.
    fn identify(&self, params: &ChainParams, mode: Mode) -> Result<()> {
        let id = self.pragma("application_id")?;
        let tables: i64 = self
            .conn
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .map_err(|error| self.error(error))?;
        if id == 0 && tables == 0 && mode != Mode::Read {
            return self.create(params);
        }
        let version = self.pragma("user_version")?;
        let stored = self.stored_network();
        let flipped = |found: i64, right: i64| (found as u32 ^ right as u32).count_ones() <= 1;
        let ours = matches!(stored, Ok(Some(_)))
            && flipped(id, APPLICATION_ID)
            && flipped(version, FORMAT_VERSION);
        let path = self.path.display();
        if id != APPLICATION_ID && !ours {
            return Err(Error::Data(format!(
                "{path}: not an index of hekte; choose another --data-dir or move the file away"
            )));
        }
        if version != FORMAT_VERSION && !ours {
            return Err(Error::Data(format!(
                "{path}: made by another version of hekte (format {version}, this one reads \
                 {FORMAT_VERSION}); use that version, or start with --rebuild to make it anew"
            )));
        }
        let Some((genesis, magic)) = stored.map_err(|error| self.error(error))? else {
            return Err(damaged(&self.path, "table network"));
        };
        if id != APPLICATION_ID || version != FORMAT_VERSION {
            return Err(damaged(&self.path, "the header of the file"));
        }
        // a process that only reads may not know the magic of a custom signet
        let other = genesis != params.genesis.as_byte_array()
            || (mode != Mode::Read && magic != params.magic);
        if other {
            return Err(Error::Config(format!(
                "{path}: an index of another network than {}; set --network or --data-dir",
                params.network
            )));
        }
        Ok(())
    }

    /// Genesis and magic of the network that the file was made for; `None` if the checksum over
    /// them and the format version does not fit.
    fn stored_network(&self) -> rusqlite::Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.conn.query_row("SELECT genesis, magic, crc FROM network", [], |row| {
            let (genesis, magic): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let crc: u32 = row.get(2)?;
            Ok((crc == network_crc(&genesis, &magic)).then_some((genesis, magic)))
        })
    }

    fn create(&self, params: &ChainParams) -> Result<()> {
        let empty = State::empty();
        let (genesis, magic) = (&params.genesis[..], &params.magic[..]);
        let make = || -> rusqlite::Result<()> {
            let tx = self.conn.unchecked_transaction()?;
            tx.execute_batch(SCHEMA)?;
            tx.execute(
                "INSERT INTO state VALUES (0, ?1, ?2, ?3, ?4, ?5, ?6)",
                (empty.phase.number(), 0, 0, &empty.tip[..], empty.generation, empty.crc()),
            )?;
            tx.execute(
                "INSERT INTO network(id, genesis, magic, crc) VALUES (0, ?1, ?2, ?3)",
                (genesis, magic, network_crc(genesis, magic)),
            )?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", FORMAT_VERSION)?;
            tx.commit()
        };
        make().map_err(|error| self.error(error))
    }

    pub(super) fn pragma(&self, name: &str) -> Result<i64> {
        self.conn
            .pragma_query_value(None, name, |row| row.get(0))
            .map_err(|error| self.error(error))
    }
}
