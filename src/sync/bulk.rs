//! The first build: blocks to batches, batches to runs in a disposable database, runs to one run.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use log::{info, warn};

use crate::error::{Error, Result};
use crate::ids::{Height, TxNum};
use crate::index::chunk::TxRange;
use crate::store::folder::{BULK_FILE, INDEX_FILE, remove_bulk};
use crate::store::open::{Db, Mode};
use crate::store::runs::tiles;
use crate::store::space::{Step, check_room};
use crate::store::tables::{Phase, RunInfo, RunKind, State};

use super::budget::merge_pages;
use super::load::BlockLoader;
use super::merge::{Pace, merge_runs};
use super::plan::Plan;
use super::rollback::{common_blocks, roll_back};
use super::writer::Databases;
use crate::limits::REORG_BLOCKS_MAX;
use crate::live::progress::{Progress, Stage};

/// What a build needs.
pub struct Build<'a> {
    /// Folder of the databases.
    pub folder: &'a Path,
    /// The block files.
    pub loader: &'a BlockLoader,
    /// What to index.
    pub plan: &'a Plan,
    /// Bytes that the process may use.
    pub memory: u64,
    /// Bytes that batches may take, both together.
    pub batch_bytes: usize,
    /// Bytes that the merge writes in one transaction.
    pub slice_bytes: u64,
    /// Room that is left to others on the disk; `None`: free space is not looked at.
    pub spare_bytes: Option<u64>,
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
        let main = Db::open(&self.folder.join(INDEX_FILE), self.loader.params(), Mode::Bulk)?;
        let mut state = main.state()?;
        if state.phase == Phase::Merging {
            state = self.finish_merge(&main, state)?;
            if state.phase == Phase::Merging {
                return Ok(Outcome::Stopped(state));
            }
        }
        let mut bulk = None;
        if state.phase == Phase::Ready {
            remove_bulk(self.folder)?;
        } else {
            let opened = Db::open(&self.bulk_path(), self.loader.params(), Mode::Bulk)?;
            state = self.match_bulk(&main, &opened, state)?;
            bulk = Some(opened);
        }
        state = self.leave_foreign_blocks(&main, bulk.as_ref(), state)?;
        self.check_room()?;
        let (main, state, blocked) = self.read(Databases { main, bulk }, state)?;
        if let Some((height, why)) = blocked {
            return Ok(Outcome::Blocked(state, height, why));
        }
        if self.progress.stopping() {
            return Ok(Outcome::Stopped(state));
        }
        if state.phase == Phase::Ready {
            remove_bulk(self.folder)?;
            return Ok(Outcome::Complete(state));
        }
        let merging = State { phase: Phase::Merging, ..state };
        let change = main.change()?;
        change.set_state(&merging)?;
        change.commit()?;
        let state = self.finish_merge(&main, merging)?;
        match state.phase {
            Phase::Ready => Ok(Outcome::Complete(state)),
            _ => Ok(Outcome::Stopped(state)),
        }
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
        let both = state.blocks.min(self.plan.blocks());
        let common = common_blocks(main, both, |height| {
            self.plan.key(height).ok_or_else(|| Error::Software("height above the plan".into()))
        })?;
        if common == both {
            return Ok(state);
        }
        if state.phase == Phase::Ready && state.blocks - common > REORG_BLOCKS_MAX {
            return Err(too_deep(state.blocks - common));
        }
        let state = roll_back(main, common)?;
        if let Some(bulk) = bulk {
            let change = bulk.change()?;
            change.cut_runs(TxNum(state.txs))?;
            change.commit()?;
        }
        Ok(state)
    }

    /// Merges the bulk runs into the main database and deletes the bulk file.
    fn finish_merge(&self, main: &Db, mut state: State) -> Result<State> {
        let bulk = match self.bulk_path().exists() {
            true => Some(Db::open(&self.bulk_path(), self.loader.params(), Mode::Bulk)?),
            false => None,
        };
        let runs = bulk.as_ref().map_or(Ok(Vec::new()), Db::runs)?;
        let whole = RunKind::ALL.iter().all(|kind| tiles(&runs, *kind, state.txs));
        let Some(mut bulk) = bulk.filter(|_| whole) else {
            warn!("the runs to be merged are gone; beginning anew");
            let state = roll_back(main, 0)?;
            let state = State { phase: Phase::Building, ..state };
            let change = main.change()?;
            change.set_state(&state)?;
            change.commit()?;
            return Ok(state);
        };
        let progress = self.progress;
        progress.merged.store(0, Ordering::Relaxed);
        let all = runs.iter().map(|run| run.written.postings).sum();
        progress.merged_total.store(all, Ordering::Relaxed);
        progress.blocks.store(state.blocks, Ordering::Relaxed);
        progress.target.store(self.plan.blocks().max(state.blocks), Ordering::Relaxed);
        progress.enter(Stage::Merging);
        let range = TxRange { first: TxNum(0), end: TxNum(state.txs) };
        for kind in RunKind::ALL {
            let sources: Vec<RunInfo> =
                runs.iter().copied().filter(|run| run.kind == kind).collect();
            info!("merging {} runs of {kind:?} postings", sources.len());
            let pace = Pace {
                pages_at_once: merge_pages(self.memory, self.plan.blocks(), sources.len()),
                slice_bytes: self.slice_bytes,
                threads: self.threads,
            };
            let count = &progress.merged;
            let merged = merge_runs(&mut bulk, &sources, main, (kind, range), pace, count, || {
                if progress.stopping() {
                    return Err(Error::TryAgain("stopped while merging".into()));
                }
                check_room(&main.path, Step::Batch, self.slice_bytes, self.spare_bytes)
            });
            match merged {
                Err(Error::TryAgain(_)) if progress.stopping() => return Ok(state),
                other => other?,
            };
        }
        state.phase = Phase::Ready;
        state.generation += 1;
        let change = main.change()?;
        change.set_state(&state)?;
        change.commit()?;
        drop(bulk);
        remove_bulk(self.folder)?;
        Ok(state)
    }
}

/// The error for a fork that nobody but a person should undo.
pub fn too_deep(depth: u32) -> Error {
    Error::Data(format!(
        "bitcoind's chain leaves ours {depth} blocks below our tip, deeper than any reorganisation \
         hekte undoes by itself ({REORG_BLOCKS_MAX}). If bitcoind is right, start hekte with \
         --rebuild"
    ))
}
