//! One consistent moment: a read transaction in the database and the snapshot that belongs to it.

use std::fmt::Display;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use log::error;

use crate::blockfile::dir::{BlockDir, Kind};
use crate::blockfile::frames::Magic;
use crate::chain::params::ChainParams;
use crate::error::{Error, Result};
use crate::ids::{HeaderBytes, Height, Prefix, PrefixBits, TxNum};
use crate::index::items::BlockItem;
use crate::index::pages::{item_of, row_of};
use crate::index::spans::SpanItem;
use crate::limits::INDEX_WORKERS;
use crate::live::served::{Served, Snapshot};
use crate::live::table::BlockInfo;
use crate::store::error::damaged;
use crate::store::open::{Db, Mode};
use crate::store::records::{ItemTable, RunKind};

use super::answers::{Answer, QueryError};
use super::span_rows::SpanRows;

/// How often a view is tried: if the writer commits after the snapshot was taken and before the
/// read transaction begins, the two are of different generations.
const VIEW_TRIES: u32 = 200;

/// Opens views, each from the snapshot that is served and a connection that is used again later.
pub struct Views {
    path: PathBuf,
    params: ChainParams,
    dir: Arc<BlockDir>,
    served: Arc<Served>,
    /// Number of views that are open.
    open: AtomicUsize,
    /// How many threads may work on one question while there is no other.
    threads: usize,
    /// Rows of spans that were read last.
    span_rows: SpanRows,
}

/// One moment. All questions to it are answered from the same blocks.
pub struct View<'a> {
    /// What is in memory.
    pub snap: Arc<Snapshot>,
    views: &'a Views,
    /// `None` only while it is dropped.
    db: Option<Db>,
}

impl Views {
    /// Views of the database at `path`, with transactions in `dir`.
    pub fn new(
        path: PathBuf,
        params: ChainParams,
        dir: Arc<BlockDir>,
        served: Arc<Served>,
        span_bytes: usize,
    ) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(INDEX_WORKERS);
        let span_rows = SpanRows::new(span_bytes);
        Views { path, params, dir, served, open: AtomicUsize::new(0), threads, span_rows }
    }

    /// The network.
    pub fn params(&self) -> &ChainParams {
        &self.params
    }

    /// What is served; `sync` shares it.
    pub fn served(&self) -> &Arc<Served> {
        &self.served
    }

    /// Opens a view of the present moment.
    pub fn open(&self) -> Answer<View<'_>> {
        if !self.served.serving() {
            return Err(QueryError::Building);
        }
        let db = self.reader().map_err(|error| self.failed(error))?;
        for _ in 0..VIEW_TRIES {
            let snap = self.served.snapshot();
            db.begin_read().map_err(|error| self.failed(error))?;
            let state = db.state().map_err(|error| self.failed(error))?;
            if state.generation == snap.generation {
                return Ok(self.view(snap, db));
            }
            // a snapshot is published after its commit, so an older row is one that was left behind
            if state.generation < snap.generation {
                return Err(self.failed(damaged(&self.path, "table state")));
            }
            // the writer has committed, and publishes its snapshot within microseconds
            db.end_read().map_err(|error| self.failed(error))?;
            thread::sleep(Duration::from_millis(1));
        }
        Err(QueryError::Internal("the index is changing too fast; try again".into()))
    }

    fn reader(&self) -> Result<Db> {
        match self.served.take_reader() {
            Some(db) => Ok(db),
            None => Db::open(&self.path, &self.params, Mode::Read),
        }
    }

    fn view(&self, snap: Arc<Snapshot>, db: Db) -> View<'_> {
        self.open.fetch_add(1, Ordering::Relaxed);
        View { snap, views: self, db: Some(db) }
    }

    /// Logs an error and returns the one for the client, which gives no details. If the index is
    /// damaged, the process ends.
    fn failed(&self, error: Error) -> QueryError {
        error!("{error}");
        if let Error::Damaged(why) = error {
            self.served.report_damage(why);
        }
        QueryError::Internal("the index cannot be read; see the server's log".into())
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        self.views.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(db) = self.db.take()
            && db.end_read().is_ok()
        {
            self.views.served.give_back(db);
        }
    }
}

impl<'a> View<'a> {
    /// Another view of this moment, for a thread that helps; `None` while other questions need all
    /// threads, or if the database has another generation by now.
    pub fn sibling(&self) -> Option<View<'a>> {
        if self.views.open.load(Ordering::Relaxed) >= self.views.threads {
            return None;
        }
        let db = self.views.reader().ok()?;
        db.begin_read().ok()?;
        if db.state().is_ok_and(|state| state.generation == self.snap.generation) {
            return Some(self.views.view(self.snap.clone(), db));
        }
        None
    }

    /// Whether there are more views than threads to use them.
    pub fn is_crowded(&self) -> bool {
        self.views.open.load(Ordering::Relaxed) > self.views.threads
    }

    /// The database, within the read transaction.
    pub fn db(&self) -> Answer<&Db> {
        self.db.as_ref().ok_or_else(|| QueryError::Internal("view is closed".into()))
    }

    /// Logs an error of the store or the block files, and returns the one for the client.
    pub fn failed(&self, error: Error) -> QueryError {
        self.views.failed(error)
    }

    /// The error for a part of the index that must be there but is missing or wrong.
    pub fn lost(&self, what: impl Display) -> QueryError {
        self.failed(damaged(&self.views.path, what))
    }

    /// The block files.
    pub fn dir(&self) -> &BlockDir {
        &self.views.dir
    }

    /// The network's magic.
    pub fn magic(&self) -> Magic {
        self.views.params.magic
    }

    /// How much of a prefix the runs hold.
    pub fn prefix_bits(&self) -> PrefixBits {
        self.views.params.prefix_bits()
    }

    /// Makes the sync thread look for a block that has moved; returns the error until it is found.
    pub fn wrong_position(&self, height: Height, why: &str) -> QueryError {
        error!("block {height} is not where it was ({why}); looking through the block files again");
        self.views.served.ask_for_rescan();
        QueryError::Internal(format!(
            "block {height} has moved in bitcoind's files and is being looked for; try again"
        ))
    }

    /// Logs that a block's bytes have changed in bitcoind's file, and returns the error for it.
    pub fn damaged_block(&self, height: Height, why: &str) -> QueryError {
        if let Some(BlockInfo { pos, .. }) = self.snap.table.get(height) {
            error!(
                "{}: block {height} at offset {} is damaged ({why}). bitcoind does not mend that \
                 by itself: restore the file from a copy, or let bitcoind load the chain again",
                self.dir().file_path(Kind::Block, pos.file).display(),
                pos.offset
            );
        }
        QueryError::Internal(format!("block {height} is damaged in bitcoind's files"))
    }

    /// What the index holds of a span.
    pub fn span(&self, item: u64) -> Answer<SpanItem> {
        let found = self.views.span_rows.item(self.db()?, self.snap.generation, item);
        let found = found.map_err(|error| self.failed(error))?;
        found.ok_or_else(|| self.lost(format_args!("span {item}")))
    }

    /// The last height.
    pub fn tip(&self) -> Height {
        self.snap.tip().unwrap_or_default()
    }

    /// The height, or an error if it is above the tip.
    pub fn checked_height(&self, height: Height) -> Answer<Height> {
        if height <= self.tip() {
            return Ok(height);
        }
        Err(QueryError::BadRequest(format!(
            "height {height} is above the tip, which is at {}",
            self.tip()
        )))
    }

    /// The header at a height of the chain.
    pub fn header(&self, height: Height) -> Answer<HeaderBytes> {
        self.headers(height, 1)?
            .pop()
            .ok_or_else(|| QueryError::Internal("header above the tip".into()))
    }

    /// Up to `count` headers from `start`, fewer at the tip.
    pub fn headers(&self, start: Height, count: u32) -> Answer<Vec<HeaderBytes>> {
        let end = start.0.saturating_add(count).min(self.snap.table.blocks().0);
        let mut headers = Vec::with_capacity(end.saturating_sub(start.0) as usize);
        let mut row = Vec::new();
        let mut row_key = -1;
        for height in start.0..end {
            if let Some(block) = self.snap.recent_at(Height(height)) {
                headers.push(block.header);
                continue;
            }
            let key = row_of(BlockItem::BYTES, u64::from(height));
            if key != row_key {
                row = self
                    .db()?
                    .row(ItemTable::Blocks, key)
                    .map_err(|e| self.failed(e))?
                    .unwrap_or_default();
                row_key = key;
            }
            match item_of(&row, u64::from(height)) {
                Some(item) => headers.push(BlockItem::decode(item).header),
                None => return Err(self.lost(format_args!("the stored header of block {height}"))),
            }
        }
        Ok(headers)
    }

    /// Transactions from number `from` on that are filed under `prefix`, ascending. The search may
    /// stop once it has found more than `limit`: a list longer than that may not be complete.
    pub fn find(
        &self,
        kind: RunKind,
        prefix: Prefix,
        from: TxNum,
        limit: usize,
    ) -> Answer<Vec<TxNum>> {
        let mut txnums = Vec::new();
        for run in self.snap.runs.iter().filter(|run| run.kind == kind && run.range.end > from) {
            self.db()?.find(run, prefix, from, limit, &mut txnums).map_err(|e| self.failed(e))?;
            if txnums.len() > limit {
                return Ok(txnums);
            }
        }
        let start = txnums.len();
        for block in &self.snap.recent {
            match kind {
                RunKind::Script => block.find_script(prefix, &mut txnums),
                RunKind::Txid => block.find_txid(prefix, &mut txnums),
            }
        }
        let below = txnums[start..].partition_point(|txnum| *txnum < from);
        txnums.drain(start..start + below);
        Ok(txnums)
    }
}
