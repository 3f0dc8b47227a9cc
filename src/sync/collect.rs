//! The reading half of a build: blocks collected into batches, one stored while the next is filled.

use std::sync::atomic::Ordering;
use std::thread;

use log::info;

use crate::blockfile::dir::Kind;
use crate::error::Result;
use crate::host::{beat, disk};
use crate::ids::{Height, TxNum};
use crate::live::progress::Stage;
use crate::store::open::Db;
use crate::store::space::{DiskNeed, Step, check_room, disk_need};
use crate::store::tables::{Phase, State};
use crate::store::write::RowWriters;

use super::batch::{Batch, push_rows};
use super::bulk::Build;
use super::load::Load;
use super::read::read_blocks;
use super::writer::{Databases, First, Job, Writer};

/// Bytes of blk and rev files that make a byte in a batch. Measured: 9 on chains of transactions of
/// 380 bytes; larger ones make fewer.
const FILE_BYTES_PER_BATCH_BYTE: u64 = 9;

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
    // waits for the batch before to be stored, for which the writer answers
    match beat::waiting(|| writer.hand_over(job)) {
        Some(empty) => {
            *batch = empty;
            true
        }
        None => false,
    }
}

impl Build<'_> {
    /// Says how much disk a build takes, and refuses to begin what cannot end.
    pub(super) fn check_room(&self) -> Result<()> {
        if self.spare_bytes.is_none() {
            return Ok(());
        }
        let dir = self.loader.dir();
        let file_bytes = dir.bytes_of(Kind::Block)? + dir.bytes_of(Kind::Undo)?;
        let DiskNeed { index, peak, more } = disk_need(self.folder, file_bytes, self.plan.blocks());
        let free = disk::free_bytes(self.folder)?;
        info!(
            "about {} MiB of disk will be used at the peak, {} MiB in the end, {} MiB more than \
             now; {} MiB are free",
            peak >> 20,
            index >> 20,
            more >> 20,
            free >> 20
        );
        check_room(self.folder, Step::Build, more, Some(0))
    }

    /// Whether all that is still to be read may well fit into one batch.
    fn fits_whole(&self, state: &State) -> Result<bool> {
        let (dir, all) = (self.loader.dir(), u64::from(self.plan.blocks()));
        let bytes = dir.bytes_of(Kind::Block)? + dir.bytes_of(Kind::Undo)?;
        let left = all.saturating_sub(u64::from(state.blocks));
        let expected = bytes / FILE_BYTES_PER_BATCH_BYTE / all.max(1) * left;
        Ok(expected <= self.batch_bytes as u64)
    }

    /// Reads to the end of the plan, one batch being stored while the next is collected. A height
    /// and a reason come back if a block cannot be used.
    pub(super) fn read(&self, databases: Databases, mut state: State) -> Result<ReadToEnd> {
        let progress = self.progress;
        let end = self.plan.blocks();
        progress.blocks.store(state.blocks, Ordering::Relaxed);
        progress.target.store(end, Ordering::Relaxed);
        progress.bytes.store(self.plan.bytes_of_first(state.blocks), Ordering::Relaxed);
        progress.bytes_total.store(self.plan.bytes_of_first(end), Ordering::Relaxed);
        progress.enter(Stage::Reading);
        if state.blocks >= end && state.blocks > 0 {
            return Ok((databases.main, state, None));
        }
        let mut rows = databases.main.row_writers(&state)?;
        let begun = state.blocks;
        let half = self.batch_bytes / 2;
        let (first, bytes) = match self.fits_whole(&state)? {
            true => (First::Whole, self.batch_bytes),
            false => (First::Half, half),
        };
        let mut batch = Batch::new(TxNum(state.txs), bytes);
        let mut blocked = None;
        let databases = thread::scope(|scope| -> Result<Databases> {
            let (spare, threads) = (self.spare_bytes, self.threads);
            let writer = Writer::start(scope, databases, half, first, spare, threads);
            let mut stored = begun;
            let bits = self.loader.params().prefix_bits();
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
                beat::step();
                batch.push(&block, bits)?;
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
            let databases = beat::waiting(|| writer.finish())?;
            read.map(|()| databases)
        })?;
        let state = databases.main.state()?;
        Ok((databases.main, state, blocked))
    }
}
