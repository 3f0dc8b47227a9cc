//! What a build waits for: a bitcoind that answers, its first download, a block that is not whole.

use std::thread;
use std::time::{Duration, Instant};

use bitcoin::Network;
use log::{info, warn};

use crate::error::{Error, Result};
use crate::host::beat;
use crate::ids::Height;
use crate::live::progress::Stage;
use crate::store::tables::State;
use crate::sync::build::plan::ChainSource;
use crate::sync::driver::Driver;

/// How long a cookie that may not be read may be one that is just being made.
const COOKIE_PATIENCE: Duration = Duration::from_secs(2);

impl Driver {
    /// Waits until bitcoind answers, and where so configured until its first download is done.
    pub(in crate::sync) fn node_is_ready(&self) -> Result<bool> {
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
    pub(in crate::sync) fn blocked(
        &self,
        state: &State,
        height: Height,
        why: &str,
        again: bool,
    ) -> Result<()> {
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

    /// One look at a bitcoind that works from a UTXO snapshot is over: `checked` of its blocks are
    /// in the index. It says when its tip changes, not when it has checked one more block below.
    pub(in crate::sync) fn wait_for_checked(&self, checked: Height, tip: Height) {
        if !self.shared.serving() && self.progress.stage().0 != Stage::Waiting {
            info!(
                "bitcoind works from a UTXO snapshot and has checked {checked} of {tip} blocks; \
                 answers begin when it has checked them all"
            );
            self.progress.enter(Stage::Waiting);
        }
        self.pause(Duration::from_secs(1));
    }

    /// Calls bitcoind until it answers; `None` if told to stop meanwhile. What will not pass by
    /// itself is an error.
    pub fn patiently<T>(&self, mut ask: impl FnMut() -> Result<T>) -> Result<Option<T>> {
        let mut said = false;
        let begun = Instant::now();
        while !self.stop.is_requested() {
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
        while !left.is_zero() && !self.stop.is_requested() {
            beat::step();
            thread::sleep(step.min(left));
            left = left.saturating_sub(step);
        }
    }
}
