//! The reading half of a build: blocks collected into batches, one stored while the next is filled.

use std::sync::atomic::Ordering;
use std::thread;

use log::info;

use crate::error::{Error, Result};
use crate::host::disk;
use crate::ids::{Height, TxNum};
use crate::limits::INDEX_PERCENT_OF_BLOCKS;
use crate::live::progress::Stage;
use crate::store::open::Db;
use crate::store::tables::{Phase, State};
use crate::store::write::RowWriters;

use super::batch::{Batch, push_rows};
use super::bulk::Build;
use super::load::Load;
use super::read::read_blocks;
use super::writer::{Databases, Job, Writer};

/// The main database after reading, the state it is in, and what was in the way.
pub type ReadToEnd = (Db, State, Option<(Height, String)>);

/// Gives the batch to the writer and goes on with an empty one; `false` if the writer has failed.
fn hand_over(
    writer: &Writer<'_>,
    batch: &mut Batch,
    rows: &mut RowWriters,
    state: &mut State,
    into_main: bool,
) -> bool {
    state.generation += 1;
    let full = std::mem::replace(batch, Batch::new(TxNum(0), 0));
    let job = Job { batch: full, rows: rows.take_rows(), state: *state, into_main };
    match writer.hand_over(job) {
        Some(empty) => {
            *batch = empty;
            true
        }
        None => false,
    }
}

impl Build<'_> {
    /// Says how much disk a build takes, and refuses to begin what cannot end.
    pub(super) fn check_room(&self, state: &State) -> Result<()> {
        let progress = self.progress;
        let share = match u64::from(self.plan.blocks()) {
            0 => 0,
            all => (all - all.min(u64::from(state.blocks))) * 1000 / all,
        };
        let blocks = progress.bytes_total.load(Ordering::Relaxed) / 1000 * share;
        let index = blocks / 100 * INDEX_PERCENT_OF_BLOCKS;
        // runs and base run side by side, for the time of the merge
        let peak = index * 2;
        if self.spare_bytes.is_none() {
            return Ok(());
        }
        let free = disk::free_bytes(self.folder)?;
        info!(
            "about {} MiB of disk will be used at the peak, {} MiB in the end; {} MiB are free",
            peak >> 20,
            index >> 20,
            free >> 20
        );
        if free > peak {
            return Ok(());
        }
        Err(Error::NoSpace(format!(
            "{}: {} MiB are free, but the build needs up to {} MiB. Free some space, or choose a \
             larger disk with --data-dir",
            self.folder.display(),
            free >> 20,
            peak >> 20
        )))
    }

    /// Reads to the end of the plan, one batch being stored while the next is collected. A height
    /// and a reason come back if a block cannot be used.
    pub(super) fn read(&self, databases: Databases, mut state: State) -> Result<ReadToEnd> {
        let progress = self.progress;
        let end = self.plan.blocks();
        progress.enter(Stage::Reading);
        progress.blocks.store(state.blocks, Ordering::Relaxed);
        progress.target.store(end, Ordering::Relaxed);
        if state.blocks >= end && state.blocks > 0 {
            return Ok((databases.main, state, None));
        }
        let mut rows = databases.main.row_writers(&state)?;
        let begun = state.blocks;
        let mut batch = Batch::new(TxNum(state.txs), self.batch_bytes);
        let mut blocked = None;
        let databases = thread::scope(|scope| -> Result<Databases> {
            let half = self.batch_bytes / 2;
            let writer = Writer::start(scope, databases, half, self.spare_bytes);
            let mut stored = begun;
            let read = read_blocks(self.loader, self.plan, begun, self.threads, |height, load| {
                let block = match load {
                    Load::Block(block) => block,
                    Load::Unusable(why) => {
                        blocked = Some((height, why));
                        return Ok(false);
                    }
                };
                if !batch.has_room(&block) {
                    stored = state.blocks;
                    if !hand_over(&writer, &mut batch, &mut rows, &mut state, false) {
                        return Ok(false);
                    }
                }
                batch.push(&block)?;
                push_rows(&mut rows, &mut state, &block)?;
                progress.blocks.store(state.blocks, Ordering::Relaxed);
                progress.bytes.fetch_add(u64::from(block.bytes), Ordering::Relaxed);
                Ok(!progress.stopping())
            });
            if read.is_ok() && state.blocks > stored {
                // all in one batch: it is the base run already
                let only = stored == 0 && state.blocks == end;
                if only {
                    state.phase = Phase::Ready;
                }
                hand_over(&writer, &mut batch, &mut rows, &mut state, only);
            }
            let databases = writer.finish()?;
            read.map(|()| databases)
        })?;
        let state = databases.main.state()?;
        Ok((databases.main, state, blocked))
    }
}
