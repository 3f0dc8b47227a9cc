//! The build of an index: blocks are collected into batches, each batch becomes a run of each kind
//! in a database for the build alone, and in the end all runs of a kind are merged into one.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use log::{info, warn};

use crate::blockfile::dir::Kind;
use crate::error::{Error, Result};
use crate::host::disk;
use crate::host::stop::StopToken;
use crate::ids::{BlockCount, Height, TxNum};
use crate::index::chunk::TxRange;
use crate::limits::REORG_BLOCKS_MAX;
use crate::live::progress::{Progress, Stage};
use crate::store::folder::{BULK_FILE, INDEX_FILE, remove_bulk};
use crate::store::open::{Db, Mode};
use crate::store::records::{BuildState, RunInfo, RunKind, State};
use crate::store::runs::tiles;
use crate::store::space::{DiskNeed, Step, check_room, disk_need};
use crate::sync::blocks::load::BlockLoader;
use crate::sync::blocks::rollback::{common_blocks, roll_back, too_deep};

use super::collect::{ReadToEnd, Reading};
use super::memory::merge_rows;
use super::merge::RunMerge;
use super::pace::DiskPace;
use super::plan::Plan;
use super::writer::Databases;

/// What a build needs.
pub struct Build<'a> {
    /// Folder of the databases.
    pub folder: &'a Path,
    /// The block files.
    pub loader: &'a BlockLoader,
    /// What to index.
    pub plan: &'a Plan,
    /// Bytes that the process may use.
    pub memory_bytes: u64,
    /// Bytes that the two batches may take together.
    pub batch_bytes: usize,
    /// How the databases are written.
    pub pace: DiskPace,
    /// Where to report.
    pub progress: &'a Progress,
    /// When to stop.
    pub stop: StopToken,
}

/// How a build ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything in the plan is indexed.
    Complete(State),
    /// The build was told to stop; the next start goes on here.
    Stopped(State),
    /// A block could not be used; everything before it is indexed.
    Blocked(State, Height, String),
}

impl Build<'_> {
    fn bulk_path(&self) -> PathBuf {
        self.folder.join(BULK_FILE)
    }

    /// Brings the database to the end of the plan, whatever state it is in. Blocks that are not on
    /// the plan's chain are taken out. A plan that is merely shorter takes nothing out.
    pub fn run(&self) -> Result<Outcome> {
        let main = Db::open(&self.folder.join(INDEX_FILE), self.loader.params(), Mode::Bulk)?;
        let mut state = main.state()?;
        if state.phase == BuildState::Merging {
            state = self.finish_merge(&main, state)?;
            if state.phase == BuildState::Merging {
                return Ok(Outcome::Stopped(state));
            }
        }
        let mut bulk = None;
        if state.phase == BuildState::Ready {
            remove_bulk(self.folder)?;
        } else {
            let opened = Db::open(&self.bulk_path(), self.loader.params(), Mode::Bulk)?;
            state = self.match_bulk(&main, &opened, state)?;
            bulk = Some(opened);
        }
        state = self.leave_foreign_blocks(&main, bulk.as_ref(), state)?;
        self.check_room()?;
        let reading = Reading {
            loader: self.loader,
            plan: self.plan,
            batch_bytes: self.batch_bytes,
            pace: self.pace,
            progress: self.progress,
            stop: &self.stop,
        };
        let ReadToEnd { main, state, blocked } = reading.run(Databases { main, bulk }, state)?;
        if let Some((height, why)) = blocked {
            return Ok(Outcome::Blocked(state, height, why));
        }
        if self.stop.is_requested() {
            return Ok(Outcome::Stopped(state));
        }
        if state.phase == BuildState::Ready {
            remove_bulk(self.folder)?;
            return Ok(Outcome::Complete(state));
        }
        let merging = State { phase: BuildState::Merging, ..state };
        store_state(&main, &merging)?;
        let state = self.finish_merge(&main, merging)?;
        match state.phase {
            BuildState::Ready => Ok(Outcome::Complete(state)),
            _ => Ok(Outcome::Stopped(state)),
        }
    }

    /// Logs how much disk the build takes, and fails if there is too little for it to end.
    fn check_room(&self) -> Result<()> {
        if self.pace.spare_bytes.is_none() {
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

    /// Brings the bulk database to the state of the main one. Each batch goes to the bulk database
    /// first, so that it may be one batch ahead, which is taken out. If it lacks runs, the build
    /// begins anew.
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
        roll_back(main, BlockCount(0))
    }

    fn leave_foreign_blocks(&self, main: &Db, bulk: Option<&Db>, state: State) -> Result<State> {
        let stored = BlockCount(state.blocks);
        let both = stored.min(BlockCount(self.plan.blocks()));
        let common = common_blocks(main, both, |height| {
            self.plan.key(height).ok_or_else(|| Error::Software("height above the plan".into()))
        })?;
        if common == both {
            return Ok(state);
        }
        let depth = stored.above(common);
        if state.phase == BuildState::Ready && depth > REORG_BLOCKS_MAX {
            return Err(too_deep(depth));
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
        let Some(mut bulk) = self.whole_bulk(&state)? else {
            warn!("the runs to be merged are gone; beginning anew");
            let state = State { phase: BuildState::Building, ..roll_back(main, BlockCount(0))? };
            store_state(main, &state)?;
            return Ok(state);
        };
        self.report_merge(&bulk.runs, &state);
        for kind in RunKind::ALL {
            match self.merge_kind(main, &mut bulk, kind, state.txs) {
                Err(Error::TryAgain(_)) if self.stop.is_requested() => return Ok(state),
                other => other?,
            };
        }
        state.phase = BuildState::Ready;
        state.generation += 1;
        store_state(main, &state)?;
        drop(bulk);
        remove_bulk(self.folder)?;
        Ok(state)
    }

    /// The bulk database, if it is there and its runs cover all transactions.
    fn whole_bulk(&self, state: &State) -> Result<Option<BulkRuns>> {
        if !self.bulk_path().exists() {
            return Ok(None);
        }
        let db = Db::open(&self.bulk_path(), self.loader.params(), Mode::Bulk)?;
        let runs = db.runs()?;
        let whole = RunKind::ALL.iter().all(|kind| tiles(&runs, *kind, state.txs));
        Ok(whole.then_some(BulkRuns { db, runs }))
    }

    fn report_merge(&self, runs: &[RunInfo], state: &State) {
        let progress = self.progress;
        progress.merged.store(0, Ordering::Relaxed);
        let all = runs.iter().map(|run| run.written.postings).sum();
        progress.merged_total.store(all, Ordering::Relaxed);
        progress.blocks.store(state.blocks, Ordering::Relaxed);
        progress.target.store(self.plan.blocks().max(state.blocks), Ordering::Relaxed);
        progress.enter(Stage::Merging);
    }

    /// Merges the runs of one kind, which cover `txs` transactions.
    fn merge_kind(&self, main: &Db, bulk: &mut BulkRuns, kind: RunKind, txs: u32) -> Result<()> {
        let runs = bulk.runs.iter().copied();
        let sources: Vec<RunInfo> = runs.filter(|run| run.kind == kind).collect();
        info!("merging {} runs of {kind:?} postings", sources.len());
        let merge = RunMerge {
            from: &mut bulk.db,
            sources: &sources,
            kind,
            range: TxRange { first: TxNum(0), end: TxNum(txs) },
            rows_at_once: merge_rows(self.memory_bytes, self.plan.blocks(), sources.len()),
            pace: self.pace,
            merged: &self.progress.merged,
        };
        let DiskPace { spare_bytes, slice_bytes, .. } = self.pace;
        let may_go_on = || {
            if self.stop.is_requested() {
                return Err(Error::TryAgain("stopped while merging".into()));
            }
            check_room(&main.path, Step::Batch, slice_bytes, spare_bytes)
        };
        merge.write_into(main, may_go_on).map(drop)
    }
}

/// The database that holds the runs of a build, and a list of them.
struct BulkRuns {
    db: Db,
    runs: Vec<RunInfo>,
}

fn store_state(main: &Db, state: &State) -> Result<()> {
    let change = main.change()?;
    change.set_state(state)?;
    change.commit()
}
