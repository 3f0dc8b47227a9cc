//! What a build waits for: a bitcoind that answers, its first download, a block that is not whole.

use std::time::{Duration, Instant};

use bitcoin::Network;
use log::{info, warn};

use crate::error::{Error, Result};
use crate::ids::Height;
use crate::live::progress::Stage;
use crate::store::records::State;
use crate::sync::context::SyncContext;

use super::plan::ChainSource;

/// How long a cookie that may not be read may be one that is just being made.
const COOKIE_PATIENCE: Duration = Duration::from_secs(2);

/// Waits until bitcoind answers, and with `wait_for_download` until its first download is done;
/// `false` if told to stop meanwhile.
pub fn wait_for_node(context: &SyncContext, wait_for_download: bool) -> Result<bool> {
    let Some(node) = &context.node else { return Ok(true) };
    context.progress.enter(Stage::Waiting);
    let mut said = false;
    // the right node before anything is built from what it says
    if ask_until_answered(context, || (context.check_node)(node))?.is_none() {
        return Ok(false);
    }
    while let Some(info) = ask_until_answered(context, || Ok(node.blockchain_info()?))? {
        let downloading =
            info.initial_block_download && context.loader.params().network != Network::Regtest;
        if !(downloading && wait_for_download) {
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
        context.pause(Duration::from_secs(10));
    }
    Ok(false)
}

/// Waits a little where a block of the active chain cannot be read. Near bitcoind's tip it may
/// still be coming; further down it may have moved since the scan, if bitcoind was killed and
/// started meanwhile, so it is an error only if it cannot be read `again`.
pub fn wait_for_block(
    context: &SyncContext,
    state: &State,
    height: Height,
    why: &str,
    again: bool,
) -> Result<()> {
    let message = format!(
        "block {height} cannot be indexed: {why}. {} blocks before it are indexed and kept",
        state.blocks
    );
    let Some(node) = &context.node else {
        return Err(Error::Data(format!(
            "{message}. Start bitcoind, let it mend its files (-reindex if it does not by \
             itself), then start hekte again"
        )));
    };
    let Some(tip) = ask_until_answered(context, || node.tip_height())? else { return Ok(()) };
    if again && tip.0 > height.0 + 10 {
        return Err(Error::Data(format!(
            "{message}. bitcoind's files are damaged there: stop bitcoind and start it once \
             with -reindex, then start hekte again"
        )));
    }
    warn!("{message}; looking again in a few seconds");
    context.pause(Duration::from_secs(3));
    Ok(())
}

/// Calls bitcoind until it answers; `None` if told to stop meanwhile. What will not pass by itself
/// is an error.
fn ask_until_answered<T>(
    context: &SyncContext,
    mut ask: impl FnMut() -> Result<T>,
) -> Result<Option<T>> {
    let mut said = false;
    let begun = Instant::now();
    while !context.stop.is_requested() {
        match ask() {
            // bitcoind makes its cookie first and gives it away after that
            Err(Error::NoPermission(_)) if begun.elapsed() < COOKIE_PATIENCE => {
                context.pause(Duration::from_millis(200));
            }
            Err(Error::Away(why)) => {
                if !said {
                    warn!("waiting for bitcoind: {why}");
                    said = true;
                }
                context.pause(Duration::from_secs(1));
            }
            other => return other.map(Some),
        }
    }
    Ok(None)
}
