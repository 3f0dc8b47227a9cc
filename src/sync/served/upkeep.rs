//! The upkeep that a served index needs now and then: blocks in memory are written to runs, small
//! runs are merged into larger ones, the write-ahead log is copied into the database. It waits
//! while the disk is full.

use std::time::Instant;

use log::{info, warn};

use crate::error::{Error, Result};
use crate::ids::{Height, TxNum};
use crate::limits::WAL_BYTES_MAX;
use crate::live::progress::Progress;
use crate::store::space::{Step, check_room};
use crate::sync::blocks::batch::{Batch, push_rows};

use super::compact;
use super::index::ServedIndex;
use super::settings::bytes_of;

impl ServedIndex {
    /// Whether [`ServedIndex::flush_if_due`] would write.
    pub fn flush_is_due(&self) -> bool {
        self.flush_count() > 0
    }

    fn flush_count(&self) -> usize {
        self.settings.flush_count(&self.snap.recent)
    }

    /// Whether blocks were connected or disconnected since the last publication. While this is true
    /// nothing is stored: storing would publish the blocks before subscribers are notified.
    pub fn has_news(&self) -> bool {
        self.served.serving() && self.served.snapshot().tip_header != self.snap.tip_header
    }

    /// Whether memory holds as many blocks as it may.
    pub fn is_full(&self) -> bool {
        self.settings.is_full(&self.snap.recent)
    }

    /// Writes the oldest blocks in memory to a run if there are enough of them; publishes what that
    /// changed.
    pub fn flush_if_due(&mut self) -> Result<()> {
        let count = self.flush_count();
        if count == 0 {
            return Ok(());
        }
        let bytes = bytes_of(&self.snap.recent[..count]);
        // blocks take less on the disk than in memory, but are written twice: the write-ahead log
        // comes first
        let needed = bytes as u64 * 2;
        check_room(&self.db.path, Step::NewestBlocks, needed, self.settings.spare_bytes)?;
        let mut state = self.stored_state()?;
        let mut writers = self.db.row_writers(&state)?;
        let mut batch = Batch::new(TxNum(state.txs), bytes);
        for (block, height) in self.snap.recent[..count].iter().zip(state.blocks..) {
            let mut block = block.to_loaded();
            // bitcoind may have moved it since it was connected
            block.pos = self.snap.table.get(Height(height)).map_or(block.pos, |known| known.pos);
            batch.push(&block, self.db.prefix_bits())?;
            push_rows(&mut writers, &mut state, &block)?;
        }
        state.generation += 1;
        let change = self.db.change()?;
        batch.write_runs(&change, 1)?;
        change.put_new_rows(&writers.take_rows())?;
        change.set_state(&state)?;
        change.commit()?;
        self.snap.recent.drain(..count);
        self.adopt(&state)?;
        self.republish();
        info!("wrote {count} blocks to the database, which holds height={}", state.blocks - 1);
        self.checkpoint()
    }

    /// Takes one bounded step of merging small runs; `false` if there is nothing to merge, or the
    /// write-ahead log is too long.
    pub fn merge_step(&mut self) -> Result<bool> {
        if self.wal_bytes > 0 {
            self.checkpoint()?;
        }
        if self.tidy || self.wal_bytes > WAL_BYTES_MAX {
            return Ok(false);
        }
        let before = self.stored_state()?.generation;
        let (slice, spare) = (self.settings.slice_bytes, self.settings.spare_bytes);
        let Some(state) = compact::step(&self.db, slice, spare)? else {
            self.tidy = true;
            return Ok(false);
        };
        if state.generation != before {
            self.adopt(&state)?;
            self.republish();
        }
        self.checkpoint()?;
        Ok(true)
    }

    fn checkpoint(&mut self) -> Result<()> {
        // if the checkpoint fails, this makes the next step try again
        self.wal_bytes = 1;
        self.wal_bytes = self.db.checkpoint()?;
        Ok(())
    }
}

/// Does the upkeep in small steps between blocks, and waits where the disk is full.
pub struct Upkeep<'a> {
    progress: &'a Progress,
    not_before: Option<Instant>,
}

impl<'a> Upkeep<'a> {
    /// Upkeep that says in `progress` what is in its way.
    pub fn new(progress: &'a Progress) -> Upkeep<'a> {
        Upkeep { progress, not_before: None }
    }

    /// Takes one step of upkeep; `true` if there may be more to do at once.
    pub fn step(&mut self, index: &mut ServedIndex) -> Result<bool> {
        let waits = self.not_before.is_some_and(|then| Instant::now() < then);
        if waits || index.has_news() {
            return Ok(false);
        }
        self.not_before = None;
        match index.flush_if_due().and_then(|()| index.merge_step()) {
            Ok(more) => {
                if self.progress.set_trouble(None) {
                    info!("there is room on the disk again");
                }
                Ok(more)
            }
            Err(Error::NoSpace(why)) => {
                self.full(index, why);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that the disk is full; nothing is written for a while.
    pub fn full(&mut self, index: &ServedIndex, why: String) {
        if self.progress.trouble().is_none() {
            warn!("{why}. What is indexed is served; free some space, and hekte goes on");
        }
        self.progress.set_trouble(Some(why));
        self.not_before = Some(Instant::now() + index.settings.retry_pause);
    }
}
