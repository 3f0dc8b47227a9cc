//! The sync thread: builds the index, keeps it up to date, and says what it is doing.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::info;

use crate::blockfile::dir::{FileNum, Kind};
use crate::error::{Error, Result};
use crate::host::beat::{self, Beat};
use crate::host::priority;
use crate::ids::BlockCount;
use crate::limits::{
    CATCH_UP_BLOCKS, FILES_KEPT_CACHED, FREE_BYTES_MIN, HASHES_PER_BATCH, MERGE_SLICE_BYTES,
};
use crate::live::progress::Stage;
use crate::store::folder::INDEX_FILE;
use crate::store::open::{Db, Mode};
use crate::store::records::{BuildState, State};

use super::blocks::scan::scan_all;
use super::build::build::{Build, Outcome};
use super::build::headers::BuildHeaders;
use super::build::memory::{batch_bytes, warn_if_short};
use super::build::pace::DiskPace;
use super::build::patience::{wait_for_block, wait_for_node};
use super::build::plan::{ChainSource, Plan};
use super::context::SyncContext;
use super::follow::follow::{Follow, FollowEnd};
use super::follow::locate::{Rescans, look_again, newest_are_in_place};
use super::served::index::ServedIndex;
use super::served::settings::UpkeepSettings;
use super::served::upkeep::Upkeep;

/// How the sync thread works.
#[derive(Clone, Copy, Debug)]
pub struct SyncSettings {
    /// Bytes that the process may use.
    pub memory_bytes: u64,
    /// Wait while bitcoind is in its first download, instead of indexing beside it.
    pub wait_for_download: bool,
    /// Threads that read and hash during a build.
    pub threads: usize,
    /// How blocks are kept and written while serving.
    pub upkeep: UpkeepSettings,
    /// Stop when the index is built.
    pub sync_only: bool,
}

/// Builds an index if there is none, or one far behind; then keeps it up to date.
pub struct Driver {
    /// What it works with.
    pub context: SyncContext,
    /// How it works.
    pub settings: SyncSettings,
}

impl Driver {
    /// Works until told to stop, or, with `sync_only`, until the index is built.
    pub fn run(&mut self) -> Result<Option<State>> {
        Beat::new("the thread that indexes").speak_for_this_thread();
        let sync_only = self.settings.sync_only;
        loop {
            let far_behind = self.is_far_behind()?;
            if (far_behind || sync_only) && !self.build()? {
                return Ok(None);
            }
            if self.context.stop.is_requested() {
                return Ok(None);
            }
            if sync_only {
                return self.stored_state();
            }
            let mut index = self.open_index()?;
            self.context.answer_headers_only(&index);
            let ended = match self.context.node.clone() {
                Some(node) => Follow::new(&self.context, node).run(&mut index)?,
                None => self.serve_offline(&mut index)?,
            };
            match ended {
                FollowEnd::Stopped => return Ok(None),
                FollowEnd::FarBehind => {}
            }
        }
    }

    /// Whether a build should be run before anything is served.
    fn is_far_behind(&self) -> Result<bool> {
        let ready = self.stored_state()?.filter(|state| state.phase == BuildState::Ready);
        Ok(match (&self.context.node, ready) {
            (_, None) => true,
            (None, Some(_)) => true,
            // a node that is away does not keep a finished index from being served
            (Some(node), Some(state)) => {
                let ahead = |tip| BlockCount::up_to(tip).above(BlockCount(state.blocks));
                node.tip_height().is_ok_and(|tip| ahead(tip) > CATCH_UP_BLOCKS)
            }
        })
    }

    fn open_index(&self) -> Result<ServedIndex> {
        let SyncContext { folder, loader, shared, .. } = &self.context;
        let mut index =
            ServedIndex::open(folder, loader.params(), shared.clone(), self.settings.upkeep)?;
        if !newest_are_in_place(&index, loader)? {
            look_again(&mut index, loader)?;
        }
        Ok(index)
    }

    /// Serves what was built until told to stop.
    fn serve_offline(&self, index: &mut ServedIndex) -> Result<FollowEnd> {
        let context = &self.context;
        context.progress.enter(Stage::Following);
        context.report_complete(index);
        (context.on_tip)(index.publish());
        info!("serving, height={}", index.blocks().tip().unwrap_or_default());
        let (mut rescans, mut upkeep) = (Rescans::default(), Upkeep::new(&context.progress));
        while !context.stop.is_requested() {
            rescans.serve(index, &context.shared, &context.loader)?;
            beat::step();
            if !upkeep.step(index)? {
                thread::sleep(Duration::from_millis(200));
            }
        }
        Ok(FollowEnd::Stopped)
    }

    /// Builds, or catches up, to the end of what there is; `false` if told to stop.
    fn build(&self) -> Result<bool> {
        let context = &self.context;
        let mut blocked_at = None;
        loop {
            if !wait_for_node(context, self.settings.wait_for_download)? {
                return Ok(false);
            }
            let Some(plan) = self.plan()? else { continue };
            let outcome = self.build_along(Arc::new(plan))?;
            match outcome {
                Outcome::Complete(_) => return Ok(true),
                Outcome::Stopped(_) if context.stop.is_requested() => return Ok(false),
                Outcome::Stopped(_) => {}
                Outcome::Blocked(state, height, why) => {
                    let again = blocked_at.replace(height) == Some(height);
                    wait_for_block(context, &state, height, &why, again)?;
                }
            }
        }
    }

    /// Looks which blocks there are, and which of them are the active chain; `None` if bitcoind
    /// went away meanwhile.
    fn plan(&self) -> Result<Option<Plan>> {
        let SyncContext { loader, progress, node, .. } = &self.context;
        let tree = scan_all(loader, progress)?;
        let planned = match node {
            Some(node) => Plan::by_node(tree, node, HASHES_PER_BATCH),
            None => Plan::by_files(tree, loader),
        };
        match planned {
            Err(Error::Away(_)) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Builds to the end of a plan, answering questions about headers meanwhile.
    fn build_along(&self, plan: Arc<Plan>) -> Result<Outcome> {
        let SyncContext { folder, loader, shared, progress, stop, .. } = &self.context;
        let SyncSettings { memory_bytes, threads, .. } = self.settings;
        self.release_files()?;
        warn_if_short(memory_bytes, plan.blocks(), threads);
        shared.build_with(Arc::new(BuildHeaders {
            plan: plan.clone(),
            loader: loader.clone(),
            progress: progress.clone(),
        }));
        let build = Build {
            folder,
            loader,
            plan: &plan,
            memory_bytes,
            batch_bytes: batch_bytes(memory_bytes, plan.blocks(), threads),
            pace: DiskPace {
                spare_bytes: Some(FREE_BYTES_MIN),
                slice_bytes: MERGE_SLICE_BYTES,
                threads,
            },
            progress,
            stop: stop.clone(),
        };
        let outcome = priority::in_background(|| build.run());
        loader.dir().forget_below(FileNum(0));
        outcome
    }

    fn stored_state(&self) -> Result<Option<State>> {
        let path = self.context.folder.join(INDEX_FILE);
        if !path.exists() {
            return Ok(None);
        }
        Db::open(&path, self.context.loader.params(), Mode::ReadWrite)?.state().map(Some)
    }

    /// The scan is over: of what it read only the newest files stay in the page cache.
    fn release_files(&self) -> Result<()> {
        let dir = self.context.loader.dir();
        let mut bytes = 0;
        let files = dir.block_files()?;
        for &file in &files {
            bytes += dir.len(Kind::Block, file)?;
        }
        let newest = files.last().map_or(0, |file| file.0);
        dir.forget_below(FileNum(newest.saturating_sub(FILES_KEPT_CACHED)));
        info!("block files hold {} MiB", bytes >> 20);
        Ok(())
    }
}
