//! The first build: blocks to batches, batches to runs in a disposable database, runs to one base run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use log::{info, warn};

use crate::chain::params::ChainParams;
use crate::error::{Error, Result};
use crate::ids::{Height, Prefix, TxNum};
use crate::index::chunk::TxRange;
use crate::store::open::{Db, Mode};
use crate::store::tables::{Phase, RunInfo, RunKind, State};

use super::batch::{Batch, push_rows};
use super::load::{BlockLoader, Load};
use super::merge::merge_runs;
use super::plan::Plan;
use super::read::read_blocks;
use super::rollback::{common_blocks, roll_back};
use crate::live::progress::{Progress, Stage};

/// The index that is served.
pub const INDEX_FILE: &str = "index.sqlite";
/// Runs of a build that is not done; deleted at its end.
pub const BULK_FILE: &str = "bulk.sqlite";

/// What a build needs.
pub struct Build<'a> {
    /// Folder of the databases.
    pub folder: &'a Path,
    /// The network.
    pub params: &'a ChainParams,
    /// The block files.
    pub loader: &'a BlockLoader,
    /// What to index.
    pub plan: &'a Plan,
    /// Postings that may be held in memory.
    pub batch_postings: usize,
    /// Bytes that the merge writes in one transaction.
    pub slice_bytes: u64,
    /// Threads that read and hash.
    pub threads: usize,
    /// Where to report.
    pub progress: &'a Progress,
}

/// How a build ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything in the plan is indexed.
    Complete(State),
    /// Told to stop; the next start goes on here.
    Stopped(State),
    /// A block could not be used; everything before it is indexed.
    Blocked(State, Height, String),
}

impl Build<'_> {
    fn bulk_path(&self) -> PathBuf {
        self.folder.join(BULK_FILE)
    }

    /// Brings the database to the end of the plan, whatever state it is in. Blocks that are not on
    /// the plan's chain are taken out, but a plan that is merely shorter takes nothing out.
    pub fn run(&self) -> Result<Outcome> {
        let main = Db::open(&self.folder.join(INDEX_FILE), self.params, Mode::Bulk)?;
        let mut state = main.state()?;
        if state.phase == Phase::Merging {
            state = self.finish_merge(&main, state)?;
        }
        let bulk = match state.phase {
            Phase::Ready => {
                self.remove_bulk()?;
                None
            }
            _ => Some(Db::open(&self.bulk_path(), self.params, Mode::Bulk)?),
        };
        if let Some(bulk) = &bulk {
            state = self.match_bulk(&main, bulk, state)?;
        }
        state = self.leave_foreign_blocks(&main, bulk.as_ref(), state)?;
        let (state, blocked) = self.read(&main, bulk.as_ref(), state)?;
        if self.progress.stopping() {
            return Ok(Outcome::Stopped(state));
        }
        if let Some((height, why)) = blocked {
            return Ok(Outcome::Blocked(state, height, why));
        }
        if state.phase == Phase::Ready {
            drop(bulk);
            self.remove_bulk()?;
            return Ok(Outcome::Complete(state));
        }
        let merging = State { phase: Phase::Merging, ..state };
        let change = main.change()?;
        change.set_state(&merging)?;
        change.commit()?;
        drop(bulk);
        let state = self.finish_merge(&main, merging)?;
        if state.phase != Phase::Ready {
            return Ok(Outcome::Stopped(state));
        }
        Ok(Outcome::Complete(state))
    }

    /// Makes the bulk database say what the main one says: it is written first, so it may be one
    /// batch ahead; if it is gone, the build begins anew.
    fn match_bulk(&self, main: &Db, bulk: &Db, state: State) -> Result<State> {
        let change = bulk.change()?;
        change.cut_runs(TxNum(state.txs))?;
        change.commit()?;
        let runs = bulk.runs()?;
        let whole = RunKind::ALL.iter().all(|kind| tiles(&runs, *kind, state.txs));
        if whole {
            return Ok(state);
        }
        warn!(
            "{}: does not hold the runs of the build that was begun; beginning anew",
            bulk.path.display()
        );
        let change = bulk.change()?;
        change.cut_runs(TxNum(0))?;
        change.commit()?;
        roll_back(main, 0)
    }

    fn leave_foreign_blocks(&self, main: &Db, bulk: Option<&Db>, state: State) -> Result<State> {
        let both = state.blocks.min(self.plan.chain.len() as u32);
        let common = common_blocks(main, both, |height| {
            self.plan
                .hash(height)
                .copied()
                .ok_or_else(|| Error::Software("height above the plan".into()))
        })?;
        if common == both {
            return Ok(state);
        }
        let state = roll_back(main, common)?;
        if let Some(bulk) = bulk {
            let change = bulk.change()?;
            change.cut_runs(TxNum(state.txs))?;
            change.commit()?;
        }
        Ok(state)
    }

    /// Reads to the end of the plan; a height and a reason if a block cannot be used.
    fn read(
        &self,
        main: &Db,
        bulk: Option<&Db>,
        mut state: State,
    ) -> Result<(State, Option<(Height, String)>)> {
        let progress = self.progress;
        let end = self.plan.chain.len() as u32;
        progress.enter(Stage::Reading);
        progress.blocks.store(state.blocks, Ordering::Relaxed);
        progress.target.store(end, Ordering::Relaxed);
        if state.blocks >= end && state.blocks > 0 {
            return Ok((state, None));
        }
        let mut stored = state;
        let mut writers = main.row_writers(&state)?;
        let mut batch = Batch::new(TxNum(state.txs), self.batch_postings);
        let mut blocked = None;
        read_blocks(self.loader, self.plan, state.blocks, self.threads, |height, load| {
            let block = match load {
                Load::Block(block) => block,
                Load::Unusable(why) => {
                    blocked = Some((height, why));
                    return Ok(false);
                }
            };
            if !batch.has_room(&block) {
                // what the writers hold goes with the runs, or a crash would part them
                let spill = bulk.unwrap_or(main);
                self.store(main, spill, &mut batch, &mut writers, &mut state)?;
                stored = state;
            }
            batch.push(&block)?;
            push_rows(&mut writers, &mut state, &block)?;
            progress.blocks.store(state.blocks, Ordering::Relaxed);
            progress.bytes.fetch_add(u64::from(block.bytes), Ordering::Relaxed);
            Ok(!progress.stopping())
        })?;
        if state.blocks > stored.blocks {
            // all in one batch: it is the base run already
            let only = stored.blocks == 0 && state.blocks == end;
            if only {
                state.phase = Phase::Ready;
            }
            let spill = if only { main } else { bulk.unwrap_or(main) };
            self.store(main, spill, &mut batch, &mut writers, &mut state)?;
        }
        Ok((state, blocked))
    }

    fn store(
        &self,
        main: &Db,
        spill: &Db,
        batch: &mut Batch,
        writers: &mut crate::store::write::RowWriters,
        state: &mut State,
    ) -> Result<()> {
        state.generation += 1;
        let change = main.change()?;
        if spill.path == main.path {
            batch.write_runs(&change)?;
        } else {
            let runs = spill.change()?;
            batch.write_runs(&runs)?;
            runs.commit()?;
        }
        change.put_writers(writers)?;
        change.set_state(state)?;
        change.commit()?;
        info!("indexed {} transactions in all, height={}", state.txs, state.blocks - 1);
        batch.clear();
        Ok(())
    }

    /// Merges the bulk runs into the main database and deletes the bulk file.
    fn finish_merge(&self, main: &Db, mut state: State) -> Result<State> {
        self.progress.enter(Stage::Merging);
        let bulk = match self.bulk_path().exists() {
            true => Some(Db::open(&self.bulk_path(), self.params, Mode::Bulk)?),
            false => None,
        };
        let runs = bulk.as_ref().map_or(Ok(Vec::new()), Db::runs)?;
        let whole = RunKind::ALL.iter().all(|kind| tiles(&runs, *kind, state.txs));
        let Some(bulk) = bulk.filter(|_| whole) else {
            warn!("the runs to be merged are gone; beginning anew");
            let state = roll_back(main, 0)?;
            let state = State { phase: Phase::Building, ..state };
            let change = main.change()?;
            change.set_state(&state)?;
            change.commit()?;
            return Ok(state);
        };
        let range = TxRange { first: TxNum(0), end: TxNum(state.txs) };
        for kind in RunKind::ALL {
            let sources: Vec<RunInfo> =
                runs.iter().copied().filter(|run| run.kind == kind).collect();
            info!("merging {} runs of {kind:?} postings", sources.len());
            let slice = self.slice_bytes;
            let merged = merge_runs(&bulk, &sources, main, (kind, range), slice, |prefix| {
                self.report_merge(kind, prefix)
            });
            match merged {
                Err(Error::TryAgain(_)) if self.progress.stopping() => return Ok(state),
                other => other?,
            };
        }
        state.phase = Phase::Ready;
        state.generation += 1;
        let change = main.change()?;
        change.set_state(&state)?;
        change.commit()?;
        drop(bulk);
        self.remove_bulk()?;
        Ok(state)
    }

    fn report_merge(&self, kind: RunKind, prefix: Prefix) -> Result<()> {
        let done = prefix.0 * 500 / Prefix::END + 500 * (kind as u64);
        self.progress.merged.store(done as u32, Ordering::Relaxed);
        if self.progress.stopping() {
            return Err(Error::TryAgain("stopped while merging".into()));
        }
        Ok(())
    }

    fn remove_bulk(&self) -> Result<()> {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let path = self.folder.join(format!("{BULK_FILE}{suffix}"));
            if path.exists() {
                fs::remove_file(&path)
                    .map_err(|error| Error::Io(format!("{}: {error}", path.display())))?;
            }
        }
        Ok(())
    }
}

/// Whether complete runs of a kind cover transactions 0 to `txs` without gap or overlap.
pub fn tiles(runs: &[RunInfo], kind: RunKind, txs: u32) -> bool {
    let mut covered = 0;
    for run in runs.iter().filter(|run| run.kind == kind && run.complete) {
        if run.range.first.0 != covered {
            return false;
        }
        covered = run.range.end.0;
    }
    covered == txs
}
