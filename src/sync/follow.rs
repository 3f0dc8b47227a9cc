//! Following bitcoind's tip: new blocks, reorgs, a node that lost its last hour, a reindex.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitcoin::Network;
use bitcoin::hashes::Hash;
use log::{info, warn};

use crate::error::{Error, Result};
use crate::ids::Height;
use crate::limits::{CATCH_UP_BLOCKS, FOLLOW_DOWN_BLOCKS_MAX, REORG_BLOCKS_MAX};
use crate::node::chain::BlockchainInfo;
use crate::node::rpc::Rpc;
use crate::node::tip_wait::TipWait;
use crate::parse::tx::header;

use super::bulk::too_deep;
use super::driver::Driver;
use super::live::Live;
use super::locate::{Rescans, look_again, newest_are_in_place};
use super::new_blocks::NewBlocks;
use super::node_chain::{Relation, heard, relation, tip_wait};
use super::upkeep::Upkeep;
use crate::live::progress::Stage;

/// How long one long poll may take; flags are looked at in between.
const WAIT: Duration = Duration::from_secs(5);
/// A tip younger than this is served although bitcoind cannot be asked for a newer one.
const FRESH_SECONDS: u64 = 3 * 3600;
/// A tip so many blocks ahead of ours may be that of a snapshot.
const SNAPSHOT_AHEAD: u32 = 100;

/// Follows one node.
pub struct Follow<'a> {
    driver: &'a Driver,
    node: Rpc,
    wait: TipWait,
    new_blocks: NewBlocks,
    upkeep: Upkeep<'a>,
    held: bool,
    /// Whether bitcoind works from an assumeutxo snapshot, as far as known.
    snapshot: Option<bool>,
    /// Why bitcoind cannot be asked, as last told.
    away: Option<String>,
    /// The node was found to be the right one since it was last away.
    checked: bool,
    /// How often our connections had been closed by then.
    breaks: u64,
    rescans: Rescans,
}

impl<'a> Follow<'a> {
    /// For the driver's index.
    pub fn new(driver: &'a Driver, node: Rpc) -> Follow<'a> {
        let wait = tip_wait(&node);
        Follow {
            driver,
            node,
            wait,
            new_blocks: NewBlocks::default(),
            upkeep: Upkeep::new(&driver.progress),
            held: false,
            snapshot: None,
            away: None,
            checked: false,
            breaks: 0,
            rescans: Rescans::default(),
        }
    }

    /// Until told to stop (`false`), or so far behind that a build is quicker (`true`).
    pub fn run(mut self, live: &mut Live) -> Result<bool> {
        while !self.driver.progress.stopping() {
            let driver = self.driver;
            self.rescans.serve(live, &driver.shared, &driver.loader)?;
            match self.step(live) {
                Ok(true) => return Ok(true),
                Ok(false) => self.back(),
                // a folder that has gone comes back with bitcoind
                Err(Error::Away(why) | Error::Unavailable(why) | Error::NoInput(why)) => {
                    self.gone(live, &why)?;
                }
                Err(Error::NoSpace(why)) => {
                    self.upkeep.full(live, why);
                    driver.pause(Duration::from_secs(1));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// One look at bitcoind, and what follows from it; `true` if a build should do the rest.
    fn step(&mut self, live: &mut Live) -> Result<bool> {
        if !self.checked {
            self.check(live)?;
        }
        let info = heard(self.node.blockchain_info())?;
        if self.breaks() != self.breaks {
            self.check(live)?;
        }
        let tip = self.node_tip(live, &info)?;
        match relation(&self.node, live, tip)? {
            Relation::Ahead => self.held = false,
            // while it works its way up again, stale blocks may be its tip for a moment
            Relation::Behind | Relation::Forked(_) if self.is_far_below(live, tip, &info) => {
                self.hold(live, tip);
            }
            Relation::Behind => {
                warn!("bitcoind went back to height {tip}; following");
                self.notify(live.disconnect_to(tip.0 + 1)?);
            }
            Relation::Forked(common) => self.leave_fork(live, common)?,
        }
        let known = info.blocks.max(tip.0) + 1;
        self.driver.progress.target.store(known, Ordering::Relaxed);
        // where the disk is full a build cannot begin
        if tip.0 + 1 > live.blocks() + CATCH_UP_BLOCKS && !live.is_full() {
            return Ok(true);
        }
        let before = live.snapshot().table.clone();
        let complete = self.connect_up_to(live, tip)?;
        let moved = before.blocks() != live.blocks()
            || live.snapshot().tip_header != self.driver.shared.snapshot().tip_header;
        let first = !self.driver.shared.serving();
        if (first && self.may_serve(live, &info)) || (moved && !first) {
            self.notify(Some(live.publish()));
            self.serving(live);
        } else if first && before.blocks() != live.blocks() {
            self.driver.hold_ready(live);
        }
        self.driver.progress.target.store(known, Ordering::Relaxed);
        // a new block waits for one such step at most
        if self.upkeep.step(live)? {
            return Ok(false);
        }
        if !complete {
            self.snapshot = None;
            self.driver.pause(Duration::from_millis(500));
        } else if self.snapshot == Some(true) {
            self.driver.wait_for_checked(tip, Height(info.blocks));
        } else if live.snapshot().tip().is_some_and(|ours| ours >= tip) {
            heard(self.wait.wait_for_other(info.tip(), WAIT))?;
        }
        Ok(false)
    }

    /// Is it the right one? Killed, it goes back to its last flush, and writes over blocks.
    fn check(&mut self, live: &mut Live) -> Result<()> {
        // a password that is not accepted any more may be mended while we serve
        (self.driver.check_node)(&self.node).map_err(|error| match error {
            Error::NoPermission(why) => Error::Away(why),
            other => other,
        })?;
        (self.checked, self.breaks, self.snapshot) = (true, self.breaks(), None);
        let loader = &self.driver.loader;
        // an error is one that looking again says
        if loader.dir().reopen().is_ok() && newest_are_in_place(live, loader)? {
            return Ok(());
        }
        look_again(live, loader)
    }

    /// A quick restart of bitcoind shows in nothing else.
    fn breaks(&self) -> u64 {
        self.node.breaks() + self.wait.breaks()
    }

    /// The height up to which there are blocks. A snapshot is asked about after each start of
    /// bitcoind, while there is one, and when the tip runs ahead, as when one is loaded.
    fn node_tip(&mut self, live: &Live, info: &BlockchainInfo) -> Result<Height> {
        let tip = Height(info.blocks);
        if self.snapshot == Some(false) && tip.0 < live.blocks() + SNAPSHOT_AHEAD {
            return Ok(tip);
        }
        let background = heard(self.node.background_height(info))?;
        self.snapshot = Some(background.is_some());
        Ok(background.unwrap_or(tip))
    }

    /// Whether bitcoind is reindexing or starting up: it does so from nothing, and going down with
    /// it would throw the index away.
    fn is_far_below(&self, live: &Live, tip: Height, info: &BlockchainInfo) -> bool {
        let depth = live.blocks().saturating_sub(tip.0 + 1);
        depth > FOLLOW_DOWN_BLOCKS_MAX || depth > 0 && info.initial_block_download
    }

    fn hold(&mut self, live: &Live, tip: Height) {
        if !self.held {
            info!(
                "bitcoind is at height {tip}, below our tip at {}: it is reindexing or starting \
                 up; the index is kept",
                live.blocks().saturating_sub(1)
            );
            self.held = true;
        }
        self.driver.pause(Duration::from_secs(1));
    }

    fn leave_fork(&mut self, live: &mut Live, common: u32) -> Result<()> {
        let depth = live.blocks() - common;
        if depth > REORG_BLOCKS_MAX {
            return Err(too_deep(depth));
        }
        warn!("reorganisation: {depth} blocks are disconnected, from height {common} on");
        let deep = live.disconnect_to(common)?;
        self.notify(deep);
        Ok(())
    }

    /// Connects blocks until `tip`; `false` if one is not readable yet, or there is no room for it.
    fn connect_up_to(&mut self, live: &mut Live, tip: Height) -> Result<bool> {
        while live.blocks() <= tip.0 && !self.driver.progress.stopping() {
            if live.is_full() {
                return Ok(false);
            }
            let height = Height(live.blocks());
            let Some(hash) = heard(self.node.block_hash(height))? else {
                return Ok(false);
            };
            let hash = hash.to_byte_array();
            let Some(block) = self.new_blocks.find(self.driver, live, height, &hash)? else {
                return Ok(false);
            };
            let previous = header::previous(&block.rows.header);
            if height.0 > 0 && previous != live.hash(Height(height.0 - 1))? {
                // bitcoind moved to another branch between two questions
                return Ok(true);
            }
            live.connect(block, hash);
            if live.flush_is_due() {
                // what is written must be what is served, if anything is
                if self.driver.shared.serving() {
                    self.notify(Some(live.publish()));
                }
                self.upkeep.step(live)?;
            }
        }
        self.new_blocks.forget();
        Ok(true)
    }

    /// Whether what we have is what bitcoind would call the present: while it is still
    /// downloading, a wallet would see too little.
    fn may_serve(&self, live: &Live, info: &BlockchainInfo) -> bool {
        let complete = live.blocks() > info.blocks.max(info.headers);
        // nobody else has blocks of a regtest chain, so its node's doubts do not count
        let doubts = info.initial_block_download && self.driver.params.network != Network::Regtest;
        complete || !doubts && live.blocks() > info.blocks
    }

    fn notify(&self, tip: Option<super::live::NewTip>) {
        if let Some(tip) = tip {
            (self.driver.on_tip)(tip);
        }
    }

    /// bitcoind cannot be asked: what is confirmed is still true, so it goes on being served. An
    /// index that has not been served yet must be fresh: bitcoind may be weeks ahead of an old one.
    fn gone(&mut self, live: &mut Live, why: &str) -> Result<()> {
        let fresh = self.is_fresh(live);
        if self.away.as_deref() != Some(why) {
            let meanwhile = match self.driver.shared.serving() || fresh {
                true => "serving what is indexed",
                false => "what is indexed is too old to be served without it",
            };
            warn!("bitcoind cannot be asked ({why}); {meanwhile}, and asking again");
            self.away = Some(why.into());
        }
        (self.checked, self.snapshot) = (false, None);
        if fresh && !self.driver.shared.serving() {
            self.notify(Some(live.publish()));
            self.serving(live);
        }
        if !self.upkeep.step(live)? {
            self.driver.pause(Duration::from_secs(1));
        }
        Ok(())
    }

    /// Whether the newest block is of the last hours, by this machine's clock.
    fn is_fresh(&self, live: &Live) -> bool {
        let mined = u64::from(header::time(&live.snapshot().tip_header));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        now < mined + FRESH_SECONDS || self.driver.params.network == Network::Regtest
    }

    fn serving(&self, live: &Live) {
        self.driver.progress.enter(Stage::Following);
        self.driver.count_blocks(live);
        info!("serving, height={}", live.blocks().saturating_sub(1));
    }

    fn back(&mut self) {
        if self.away.take().is_some() {
            info!("bitcoind answers again");
        }
    }
}
