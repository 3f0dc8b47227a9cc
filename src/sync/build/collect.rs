//! The reading half of a build: blocks collected into batches, one stored while the next is filled.

use std::sync::atomic::Ordering;
use std::thread;

use crate::blockfile::dir::Kind;
use crate::error::Result;
use crate::host::beat;
use crate::host::stop::StopToken;
use crate::ids::{Height, PrefixBits, TxNum};
use crate::index::extract::LoadedBlock;
use crate::live::progress::{Progress, Stage};
use crate::store::open::Db;
use crate::store::records::{BuildState, State};
use crate::store::write::RowWriters;
use crate::sync::blocks::batch::{Batch, push_rows};
use crate::sync::blocks::load::{BlockLoader, Load};

use super::pace::DiskPace;
use super::plan::Plan;
use super::read::read_blocks;
use super::writer::{Databases, First, Job, Writer};

/// Bytes of blk and rev files that make a byte in a batch. Measured: 9 on chains of transactions of
/// 380 bytes; larger ones make fewer.
const FILE_BYTES_PER_BATCH_BYTE: u64 = 9;

/// What the reading half of a build needs.
pub struct Reading<'a> {
    /// The block files.
    pub loader: &'a BlockLoader,
    /// What to read.
    pub plan: &'a Plan,
    /// Bytes that batches may take, both together.
    pub batch_bytes: usize,
    /// How batches are written.
    pub pace: DiskPace,
    /// Where to report.
    pub progress: &'a Progress,
    /// When to stop.
    pub stop: &'a StopToken,
}

/// What reading came to.
pub struct ReadToEnd {
    /// The main database.
    pub main: Db,
    /// The state it is in.
    pub state: State,
    /// The block that cannot be used, and why, if there is one.
    pub blocked: Option<(Height, String)>,
}

impl Reading<'_> {
    /// Reads to the end of the plan, one batch being stored while the next is collected.
    pub fn run(&self, databases: Databases, state: State) -> Result<ReadToEnd> {
        let end = self.plan.blocks();
        self.report(&state);
        if state.blocks >= end && state.blocks > 0 {
            return Ok(ReadToEnd { main: databases.main, state, blocked: None });
        }
        let rows = databases.main.row_writers(&state)?;
        let begun = state.blocks;
        let half = self.batch_bytes / 2;
        let (first, bytes) = match self.fits_whole(&state)? {
            true => (First::Whole, self.batch_bytes),
            false => (First::Half, half),
        };
        let batch = Batch::new(TxNum(state.txs), bytes);
        let mut blocked = None;
        let databases = thread::scope(|scope| -> Result<Databases> {
            let writer = Writer::start(scope, databases, half, first, self.pace);
            let bits = self.loader.params().prefix_bits();
            let mut collector = Collector { writer, bits, batch, rows, state, handed_over: begun };
            let threads = self.pace.threads;
            let read = read_blocks(self.loader, self.plan, begun, threads, |height, load| {
                let block = match load {
                    Load::Block(block) => block,
                    Load::Unusable(why) => {
                        blocked = Some((height, why));
                        return Ok(false);
                    }
                };
                if !collector.add(&block)? {
                    return Ok(false);
                }
                self.progress.blocks.store(collector.state.blocks, Ordering::Relaxed);
                self.progress.bytes.fetch_add(u64::from(block.bytes), Ordering::Relaxed);
                Ok(!self.stop.is_requested())
            });
            if read.is_ok() {
                collector.hand_over_rest(end);
            }
            let databases = beat::waiting(|| collector.writer.finish())?;
            read.map(|()| databases)
        })?;
        let state = databases.main.state()?;
        Ok(ReadToEnd { main: databases.main, state, blocked })
    }

    fn report(&self, state: &State) {
        let (progress, end) = (self.progress, self.plan.blocks());
        progress.blocks.store(state.blocks, Ordering::Relaxed);
        progress.target.store(end, Ordering::Relaxed);
        progress.bytes.store(self.plan.bytes_of_first(state.blocks), Ordering::Relaxed);
        progress.bytes_total.store(self.plan.bytes_of_first(end), Ordering::Relaxed);
        progress.enter(Stage::Reading);
    }

    /// Whether all that is still to be read may well fit into one batch.
    fn fits_whole(&self, state: &State) -> Result<bool> {
        let (dir, all) = (self.loader.dir(), u64::from(self.plan.blocks()));
        let bytes = dir.bytes_of(Kind::Block)? + dir.bytes_of(Kind::Undo)?;
        let left = all.saturating_sub(u64::from(state.blocks));
        let expected = bytes / FILE_BYTES_PER_BATCH_BYTE / all.max(1) * left;
        Ok(expected <= self.batch_bytes as u64)
    }
}

/// Collects blocks until a batch is full, and hands it to the writer.
struct Collector<'scope> {
    writer: Writer<'scope>,
    /// How much of a prefix the runs hold.
    bits: PrefixBits,
    batch: Batch,
    rows: RowWriters,
    /// The state once everything collected is stored.
    state: State,
    /// Number of the blocks that were handed over.
    handed_over: u32,
}

impl Collector<'_> {
    /// Adds the next block; `false` if the writer has failed.
    fn add(&mut self, block: &LoadedBlock) -> Result<bool> {
        if !self.batch.has_room(block) {
            self.handed_over = self.state.blocks;
            if !self.hand_over(false) {
                return Ok(false);
            }
        }
        beat::step();
        self.batch.push(block, self.bits)?;
        push_rows(&mut self.rows, &mut self.state, block)?;
        Ok(true)
    }

    /// Hands over what was collected last, if anything was, on the way to `end` blocks.
    fn hand_over_rest(&mut self, end: u32) {
        if self.state.blocks <= self.handed_over {
            return;
        }
        // all in one batch: it is the base run already
        let only = self.handed_over == 0 && self.state.blocks == end;
        if only {
            self.state.phase = BuildState::Ready;
        }
        self.hand_over(only);
    }

    /// Gives the batch to the writer and goes on with an empty one; `false` if the writer has
    /// failed.
    fn hand_over(&mut self, into_main: bool) -> bool {
        self.state.generation += 1;
        let full = std::mem::replace(&mut self.batch, Batch::new(TxNum(0), 0));
        let rows = self.rows.take_rows();
        let job = Job { batch: full, rows, state: self.state, into_main };
        // waits for the batch before to be stored, for which the writer answers
        match beat::waiting(|| self.writer.hand_over(job)) {
            Some(empty) => {
                self.batch = empty;
                true
            }
            None => false,
        }
    }
}
