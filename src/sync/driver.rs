//! The sync thread: builds the index, keeps it up to date, and says what it is doing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use bitcoin::Network;
use log::{info, warn};

use crate::blockfile::dir::{FileNum, Kind};
use crate::chain::params::ChainParams;
use crate::error::{Error, Result};
use crate::ids::Height;
use crate::limits::{CATCH_UP_BLOCKS, FILES_KEPT_CACHED, HASHES_PER_BATCH, MERGE_SLICE_BYTES};
use crate::live::shared::Shared;
use crate::node::rpc::Rpc;
use crate::store::open::{Db, Mode};
use crate::store::tables::{Phase, State};

use super::budget::batch_bytes;
use super::build_headers::{BuildHeaders, StoredHeaders};
use super::bulk::{Build, INDEX_FILE, Outcome};
use super::live::{Live, NewTip};
use super::load::BlockLoader;
use super::locate::{Rescans, look_again, newest_are_in_place};
use super::plan::{ChainSource, Plan, scan_all};
use crate::live::progress::{Progress, Stage};

/// How long a cookie that may not be read may be one that is just being made.
const COOKIE_PATIENCE: Duration = Duration::from_secs(2);

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
            let mut live = Live::open(&self.folder, &self.params, self.shared.clone())?;
            if !newest_are_in_place(&live, &self.loader, &self.params)? {
                look_again(&mut live, &self.loader, &self.params)?;
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
            params: self.params,
        }));
    }

    /// Serves what was built until told to stop.
    fn stand_still(&self, live: &mut Live) -> Result<bool> {
        self.progress.enter(Stage::Following);
        self.count_blocks(live);
        (self.on_tip)(live.publish());
        info!("serving, height={}", live.blocks().saturating_sub(1));
        let mut rescans = Rescans::default();
        while !self.progress.stopping() {
            rescans.serve(live, &self.shared, &self.loader, &self.params)?;
            thread::sleep(Duration::from_millis(200));
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
            self.progress.enter(Stage::Scanning);
            let tree = scan_all(&self.loader, &self.params)?;
            let planned = match &self.node {
                Some(node) => Plan::by_node(tree, node, HASHES_PER_BATCH),
                None => Plan::by_files(tree, &self.loader, &self.params),
            };
            let plan = match planned {
                Err(Error::Away(_)) => continue,
                other => other?,
            };
            let plan = Arc::new(plan);
            self.count_bytes()?;
            self.shared.build_with(Arc::new(BuildHeaders {
                plan: plan.clone(),
                loader: self.loader.clone(),
                params: self.params,
                progress: self.progress.clone(),
            }));
            let build = Build {
                folder: &self.folder,
                params: &self.params,
                loader: &self.loader,
                plan: &plan,
                memory: self.memory,
                batch_bytes: batch_bytes(self.memory, plan.blocks(), self.threads),
                slice_bytes: MERGE_SLICE_BYTES,
                threads: self.threads,
                progress: &self.progress,
            };
            let outcome = build.run();
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

    /// Waits until bitcoind answers, and where so configured until its first download is done.
    fn node_is_ready(&self) -> Result<bool> {
        let Some(node) = &self.node else { return Ok(true) };
        self.progress.enter(Stage::Waiting);
        let mut said = false;
        // the right node before anything is built from what it says
        if self.patiently(|| (self.check_node)(node))?.is_none() {
            return Ok(false);
        }
        while let Some(info) = self.patiently(|| Ok(node.blockchain_info()?))? {
            let downloading =
                info.initial_block_download && self.params.network != Network::Regtest;
            if !(downloading && self.wait_for_node) {
                return Ok(true);
            }
            if !said {
                info!(
                    "bitcoind is still downloading ({} of {} blocks); indexing begins when it is \
                     done, since both at once would wear out this disk (index_during_ibd=always \
                     begins now)",
                    info.blocks, info.headers
                );
                said = true;
            }
            self.pause(Duration::from_secs(10));
        }
        Ok(false)
    }

    /// A block of the active chain cannot be read: near bitcoind's tip it may still be coming;
    /// further down it may have moved since the scan, if bitcoind was killed and started meanwhile,
    /// so it is an error only if it cannot be read `again`.
    fn blocked(&self, state: &State, height: Height, why: &str, again: bool) -> Result<()> {
        let message = format!(
            "block {height} cannot be indexed: {why}. {} blocks before it are indexed and kept",
            state.blocks
        );
        let Some(node) = &self.node else {
            return Err(Error::Data(format!(
                "{message}. Start bitcoind, let it mend its files (-reindex if it does not by \
                 itself), then start hekte again"
            )));
        };
        let Some(tip) = self.patiently(|| node.tip_height())? else { return Ok(()) };
        if again && tip.0 > height.0 + 10 {
            return Err(Error::Data(format!(
                "{message}. bitcoind's files are damaged there: stop bitcoind and start it once \
                 with -reindex, then start hekte again"
            )));
        }
        warn!("{message}; looking again in a few seconds");
        self.pause(Duration::from_secs(3));
        Ok(())
    }

    /// Calls bitcoind until it answers; `None` if told to stop meanwhile. What will not pass by
    /// itself is an error.
    pub fn patiently<T>(&self, mut ask: impl FnMut() -> Result<T>) -> Result<Option<T>> {
        let mut said = false;
        let begun = Instant::now();
        while !self.progress.stopping() {
            match ask() {
                // bitcoind makes its cookie first and gives it away after that
                Err(Error::NoPermission(_)) if begun.elapsed() < COOKIE_PATIENCE => {
                    self.pause(Duration::from_millis(200));
                }
                Err(Error::Away(why)) => {
                    if !said {
                        warn!("waiting for bitcoind: {why}");
                        said = true;
                    }
                    self.pause(Duration::from_secs(1));
                }
                other => return other.map(Some),
            }
        }
        Ok(None)
    }

    /// Sleeps, but wakes up to stop.
    pub fn pause(&self, time: Duration) {
        let step = Duration::from_millis(100);
        let mut left = time;
        while !left.is_zero() && !self.progress.stopping() {
            thread::sleep(step.min(left));
            left = left.saturating_sub(step);
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

    fn count_bytes(&self) -> Result<()> {
        let dir = self.loader.dir();
        let mut bytes = 0;
        let files = dir.block_files()?;
        for &file in &files {
            bytes += dir.len(Kind::Block, file)?;
        }
        let newest = files.last().map_or(0, |file| file.0);
        dir.forget_below(FileNum(newest.saturating_sub(FILES_KEPT_CACHED)));
        self.progress.bytes_total.store(bytes, Ordering::Relaxed);
        self.progress.bytes.store(0, Ordering::Relaxed);
        info!("block files hold {} MiB", bytes >> 20);
        Ok(())
    }
}
