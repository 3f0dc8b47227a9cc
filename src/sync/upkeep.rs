//! What a served index needs now and then: blocks in memory go to runs, small runs to larger ones,
//! the write-ahead log into the database; and patience while the disk is full.

use std::time::{Duration, Instant};

use log::{info, warn};

use crate::error::{Error, Result};
use crate::ids::{Height, TxNum};
use crate::limits::{
    FREE_BYTES_MIN, LIVE_SLICE_BYTES, LOG_BYTES_MAX, RECENT_BLOCKS_FLUSH, RECENT_BLOCKS_KEPT,
    RECENT_BLOCKS_MAX, RECENT_BLOCKS_MIN,
};
use crate::live::progress::Progress;
use crate::store::space::{Step, check_room};

use super::batch::{Batch, push_rows};
use super::compact;
use super::live::Live;

/// Pause before another try where the disk is full.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// How blocks wait in memory, and how they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveSettings {
    /// So many of the newest blocks stay in memory.
    pub kept: usize,
    /// With so many in memory, all but the newest are written.
    pub flush_at: usize,
    /// With so many that cannot be written, no more are taken.
    pub most: usize,
    /// With so many bytes of them, the oldest are written sooner; with half as many again, no more
    /// are taken.
    pub recent_bytes: usize,
    /// Bytes that a merge writes in one transaction.
    pub slice_bytes: u64,
    /// Room that is left to others on the disk; `None`: free space is not looked at.
    pub spare_bytes: Option<u64>,
    /// Pause before another try where the disk is full.
    pub retry_pause: Duration,
}

impl Default for LiveSettings {
    fn default() -> Self {
        LiveSettings {
            kept: RECENT_BLOCKS_KEPT,
            flush_at: RECENT_BLOCKS_FLUSH,
            most: RECENT_BLOCKS_MAX,
            recent_bytes: usize::MAX,
            slice_bytes: LIVE_SLICE_BYTES,
            spare_bytes: Some(FREE_BYTES_MIN),
            retry_pause: RETRY_PAUSE,
        }
    }
}

impl Live {
    /// Whether [`Live::flush_if_due`] would write.
    pub fn flush_is_due(&self) -> bool {
        self.flush_count() > 0
    }

    fn recent_bytes(&self) -> usize {
        self.snap.recent.iter().map(|block| block.held_bytes()).sum()
    }

    /// How many of the oldest blocks in memory should be written: those of a day, or, where they
    /// take too much, as many as bring them to half of what they may.
    fn flush_count(&self) -> usize {
        let recent = &self.snap.recent;
        if recent.len() >= self.settings.flush_at {
            return recent.len() - self.settings.kept;
        }
        let mut bytes = self.recent_bytes();
        if bytes <= self.settings.recent_bytes {
            return 0;
        }
        let may_go = recent.len().saturating_sub(RECENT_BLOCKS_MIN);
        let oldest = recent.iter().take(may_go).take_while(|block| {
            let over = bytes > self.settings.recent_bytes / 2;
            bytes -= block.held_bytes();
            over
        });
        oldest.count()
    }

    /// Whether blocks were connected or disconnected that those who ask do not know of. Nothing is
    /// written meanwhile, since that would show them without a word to who watches.
    pub fn has_news(&self) -> bool {
        self.shared.serving() && self.shared.snapshot().tip_header != self.snap.tip_header
    }

    /// Whether memory holds as many blocks as it may.
    pub fn is_full(&self) -> bool {
        let (held, most) = (self.snap.recent.len(), self.settings.recent_bytes);
        held >= self.settings.most
            || held > RECENT_BLOCKS_MIN && self.recent_bytes() >= most.saturating_add(most / 2)
    }

    /// Writes the oldest blocks in memory to a run if there are enough of them; publishes what that
    /// changed.
    pub fn flush_if_due(&mut self) -> Result<()> {
        let count = self.flush_count();
        if count == 0 {
            return Ok(());
        }
        let bytes: usize = self.snap.recent[..count].iter().map(|block| block.held_bytes()).sum();
        // blocks take less on the disk than in memory, but all goes through the write-ahead log
        let needed = bytes as u64 * 2;
        check_room(&self.db.path, Step::NewestBlocks, needed, self.settings.spare_bytes)?;
        let mut state = self.db.state()?;
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

    /// One bounded step of merging small runs, if there is anything to merge; whether there was.
    pub fn merge_step(&mut self) -> Result<bool> {
        if self.log_bytes > 0 {
            self.checkpoint()?;
        }
        if self.tidy || self.log_bytes > LOG_BYTES_MAX {
            return Ok(false);
        }
        let before = self.snap.generation;
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
        // if it fails, it is tried again
        self.log_bytes = 1;
        self.log_bytes = self.db.checkpoint()?;
        Ok(())
    }
}

/// Does the upkeep in small steps between blocks, and waits where the disk is full.
pub struct Upkeep<'a> {
    progress: &'a Progress,
    not_before: Option<Instant>,
}

impl<'a> Upkeep<'a> {
    /// Says in `progress` what is in the way.
    pub fn new(progress: &'a Progress) -> Upkeep<'a> {
        Upkeep { progress, not_before: None }
    }

    /// One step: whether there may be more to do at once.
    pub fn step(&mut self, live: &mut Live) -> Result<bool> {
        let waits = self.not_before.is_some_and(|then| Instant::now() < then);
        if waits || live.has_news() {
            return Ok(false);
        }
        self.not_before = None;
        match live.flush_if_due().and_then(|()| live.merge_step()) {
            Ok(more) => {
                if self.progress.set_trouble(None) {
                    info!("there is room on the disk again");
                }
                Ok(more)
            }
            Err(Error::NoSpace(why)) => {
                self.full(live, why);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Notes that the disk is full; nothing is written for a while.
    pub fn full(&mut self, live: &Live, why: String) {
        if self.progress.trouble().is_none() {
            warn!("{why}. What is indexed is served; free some space, and hekte goes on");
        }
        self.progress.set_trouble(Some(why));
        self.not_before = Some(Instant::now() + live.settings.retry_pause);
    }
}
