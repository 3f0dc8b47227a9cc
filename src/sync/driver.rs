//! The sync thread: builds the index, keeps it up to date, and says what it is doing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use log::info;

use crate::blockfile::dir::{FileNum, Kind};
use crate::chain::params::ChainParams;
use crate::error::{Error, Result};
use crate::host::beat::{self, Beat};
use crate::host::priority;
use crate::limits::{
    CATCH_UP_BLOCKS, FILES_KEPT_CACHED, FREE_BYTES_MIN, HASHES_PER_BATCH, MERGE_SLICE_BYTES,
};
use crate::live::shared::Shared;
use crate::node::rpc::Rpc;
use crate::store::folder::INDEX_FILE;
use crate::store::open::{Db, Mode};
use crate::store::tables::{Phase, State};

use super::budget::{batch_bytes, warn_if_short};
use super::build_headers::{BuildHeaders, StoredHeaders};
use super::bulk::{Build, Outcome};
use super::live::{Live, NewTip};
use super::load::BlockLoader;
use super::locate::{Rescans, look_again, newest_are_in_place};
use super::plan::{ChainSource, Plan, scan_all};
use super::upkeep::{LiveSettings, Upkeep};
use crate::live::progress::{Progress, Stage};

/// Says whether a bitcoind is the one that is meant, and can do what is needed.
pub type NodeCheck = Box<dyn Fn(&Rpc) -> Result<()> + Send>;

/// Everything the sync thread works with.
pub struct Driver {
    /// Folder of the databases.
    pub folder: PathBuf,
    /// The network.
    pub params: ChainParams,
    /// The block files.
    pub loader: Arc<BlockLoader>,
    /// What is shared with questions.
    pub shared: Arc<Shared>,
    /// bitcoind; `None` offline.
    pub node: Option<Rpc>,
    /// What is told to whoever reports.
    pub progress: Arc<Progress>,
    /// Bytes that the process may use.
    pub memory: u64,
    /// Wait while bitcoind is in its first download, instead of indexing beside it.
    pub wait_for_node: bool,
    /// Threads that read and hash during a build.
    pub threads: usize,
    /// How blocks are kept and written while serving.
    pub live: LiveSettings,
    /// Stop when the index is built.
    pub sync_only: bool,
    /// Whether that bitcoind is the one that is meant, and can do what is needed.
    pub check_node: NodeCheck,
    /// Told of each published tip.
    pub on_tip: Box<dyn Fn(NewTip) + Send>,
}

impl Driver {
    /// Works until told to stop, or, with `sync_only`, until the index is built.
    pub fn run(&mut self) -> Result<Option<State>> {
        Beat::new("the thread that indexes").speak_for_this_thread();
        loop {
            let ready = self.stored_state()?.filter(|state| state.phase == Phase::Ready);
            let behind = match (&self.node, ready) {
                (_, None) => true,
                (None, Some(_)) => true,
                // a node that is away does not keep a finished index from being served
                (Some(node), Some(state)) => {
                    node.tip_height().is_ok_and(|tip| tip.0 + 1 > state.blocks + CATCH_UP_BLOCKS)
                }
            };
            if (behind || self.sync_only) && !self.build()? {
                return Ok(None);
            }
            if self.progress.stopping() {
                return Ok(None);
            }
            if self.sync_only {
                return self.stored_state();
            }
            let shared = self.shared.clone();
            let mut live = Live::open(&self.folder, &self.params, shared, self.live)?;
            if !newest_are_in_place(&live, &self.loader)? {
                look_again(&mut live, &self.loader)?;
            }
            self.hold_ready(&live);
            let again = match self.node.clone() {
                Some(node) => super::follow::Follow::new(self, node).run(&mut live)?,
                None => self.stand_still(&mut live)?,
            };
            if !again {
                return Ok(None);
            }
        }
    }

    /// Headers are answered from what is there, until it is served.
    pub fn hold_ready(&self, live: &Live) {
        self.count_blocks(live);
        self.shared.build_with(Arc::new(StoredHeaders {
            snapshot: live.snapshot().clone(),
            loader: self.loader.clone(),
        }));
    }

    /// Serves what was built until told to stop.
    fn stand_still(&self, live: &mut Live) -> Result<bool> {
        self.progress.enter(Stage::Following);
        self.count_blocks(live);
        (self.on_tip)(live.publish());
        info!("serving, height={}", live.blocks().saturating_sub(1));
        let (mut rescans, mut upkeep) = (Rescans::default(), Upkeep::new(&self.progress));
        while !self.progress.stopping() {
            rescans.serve(live, &self.shared, &self.loader)?;
            beat::step();
            if !upkeep.step(live)? {
                thread::sleep(Duration::from_millis(200));
            }
        }
        Ok(false)
    }

    /// Builds, or catches up, to the end of what there is; `false` if told to stop.
    fn build(&self) -> Result<bool> {
        let mut stuck = None;
        loop {
            if !self.node_is_ready()? {
                return Ok(false);
            }
            let tree = scan_all(&self.loader, &self.progress)?;
            let planned = match &self.node {
                Some(node) => Plan::by_node(tree, node, HASHES_PER_BATCH),
                None => Plan::by_files(tree, &self.loader),
            };
            let plan = match planned {
                Err(Error::Away(_)) => continue,
                other => other?,
            };
            let plan = Arc::new(plan);
            self.release_files()?;
            warn_if_short(self.memory, plan.blocks(), self.threads);
            self.shared.build_with(Arc::new(BuildHeaders {
                plan: plan.clone(),
                loader: self.loader.clone(),
                progress: self.progress.clone(),
            }));
            let build = Build {
                folder: &self.folder,
                loader: &self.loader,
                plan: &plan,
                memory: self.memory,
                batch_bytes: batch_bytes(self.memory, plan.blocks(), self.threads),
                slice_bytes: MERGE_SLICE_BYTES,
                spare_bytes: Some(FREE_BYTES_MIN),
                threads: self.threads,
                progress: &self.progress,
            };
            let outcome = priority::in_background(|| build.run());
            self.loader.dir().forget_below(FileNum(0));
            match outcome? {
                Outcome::Complete(_) => return Ok(true),
                Outcome::Stopped(_) if self.progress.stopping() => return Ok(false),
                Outcome::Stopped(_) => {}
                Outcome::Blocked(state, height, why) => {
                    let again = stuck.replace(height) == Some(height);
                    self.blocked(&state, height, &why, again)?;
                }
            }
        }
    }

    /// Reports what a finished index holds.
    pub fn count_blocks(&self, live: &Live) {
        self.progress.blocks.store(live.blocks(), Ordering::Relaxed);
        self.progress.target.store(live.blocks(), Ordering::Relaxed);
    }

    fn stored_state(&self) -> Result<Option<State>> {
        let path = self.folder.join(INDEX_FILE);
        if !path.exists() {
            return Ok(None);
        }
        Db::open(&path, &self.params, Mode::Live)?.state().map(Some)
    }

    /// The scan is over: of what it read only the newest files stay in the page cache.
    fn release_files(&self) -> Result<()> {
        let dir = self.loader.dir();
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
