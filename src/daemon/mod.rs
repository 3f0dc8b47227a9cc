//! The running program: opens what is needed, starts sync thread and server, stops them in order.

mod progress_lines;
mod reload;
mod running;
mod serving;
mod watch;
mod wiring;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use log::{debug, warn};
use tokio::runtime::Runtime;

use crate::blockfile::dir::BlockDir;
use crate::chain::params::ChainParams;
use crate::config::network::Network;
use crate::config::{Config, layout};
use crate::error::{Error, Result};
use crate::host::signal::{OperatorRequest, Signals};
use crate::host::stop::StopToken;
use crate::host::{memory, notify};
use crate::limits::SHUTDOWN_WAIT;
use crate::live::progress::Progress;
use crate::live::served::Served;
use crate::node::calls::NodeCalls;
use crate::node::fits;
use crate::node::rpc::Rpc;
use crate::query::engine::Engine;
use crate::query::view::Views;
use crate::server::electrum::tips::TipChannel;
use crate::store::folder::{
    INDEX_FILE, lock, mark_damaged, remove_if_marked_damaged, remove_index,
};
use crate::store::records::State;
use crate::sync::blocks::load::BlockLoader;
use crate::sync::context::SyncContext;
use crate::sync::driver::{Driver, SyncSettings};
use crate::sync::served::settings::UpkeepSettings;

use self::running::{Running, STOP_WAIT};
use self::serving::Sources;
use self::wiring::{announcer, costs, node_check, shares, start_mempool, waits_for_node};

/// By how much systemd is asked to extend the start each time that bitcoind is asked for the magic
/// of a signet.
const START_PATIENCE: Duration = Duration::from_secs(90);

/// How long bitcoind may take to send an unconfirmed transaction.
const RAW_PATIENCE: Duration = Duration::from_secs(5);

/// Indexes and serves until a signal or an error; with `sync_only`, until the build is done.
pub fn run(config: &Config) -> Result<()> {
    for line in config.explain() {
        debug!("{line}");
    }
    config.verify_marker()?;
    let folder = config.index_dir();
    let _lock = lock(&folder)?;
    match config.rebuild {
        true => remove_index(&folder)?,
        false => remove_if_marked_damaged(&folder)?,
    }
    let runtime = Runtime::new().map_err(|error| Error::Io(format!("async runtime: {error}")))?;
    let outcome = runtime.block_on(serve(config, &folder));
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome.map_err(|error| match error {
        Error::Damaged(why) => mark_damaged(&folder, &why),
        other => other,
    })
}

async fn serve(config: &Config, folder: &Path) -> Result<()> {
    let stop = StopToken::default();
    let (running, outcome) = match start(config, folder, &stop).await {
        Ok(Some(mut running)) => {
            let outcome = running.until_end(config).await;
            (Some(running), outcome)
        }
        Ok(None) => (None, Ok(None)),
        Err(error) => (None, Err(error)),
    };
    // all parts are asked to stop here and nowhere else, also those that a failed start has begun
    stop.request();
    notify::stopping();
    if let Some(running) = running {
        notify::extend_timeout(SHUTDOWN_WAIT + STOP_WAIT);
        running.stop().await;
    }
    if let (true, Some(state)) = (config.sync_only, outcome?) {
        summary(&state, folder);
    }
    Ok(())
}

/// Starts all parts; `None` if a signal to stop came first.
async fn start(config: &Config, folder: &Path, stop: &StopToken) -> Result<Option<Running>> {
    let mut signals = Signals::listen()?;
    let node = config.node.as_ref().map(Rpc::new);
    let params = chain_params(config, node.as_ref(), &mut signals).await?;
    let Some(params) = params else { return Ok(None) };
    layout::verify(&config.blocks_dir, config.network, params.magic)?;
    let (driver, sources) = assemble(config, folder, &params, node, stop)?;
    Running::start(config, folder, driver, sources, signals).await.map(Some)
}

/// Makes the sync thread's part and what the answering part needs, and starts the thread that reads
/// the mempool.
fn assemble(
    config: &Config,
    folder: &Path,
    params: &ChainParams,
    node: Option<Rpc>,
    stop: &StopToken,
) -> Result<(Driver, Sources)> {
    let dir = Arc::new(BlockDir::open(&config.blocks_dir)?);
    let (progress, tips) = (Arc::new(Progress::default()), TipChannel::default());
    let shares = shares(config);
    let served = Arc::new(Served::with_room_for(shares.watched_coins));
    let views = Views::new(
        folder.join(INDEX_FILE),
        *params,
        dir.clone(),
        served.clone(),
        shares.span_bytes,
    );
    let calls = node.clone().map(|node| Arc::new(node) as Arc<dyn NodeCalls>);
    // questions for unconfirmed transactions hold threads that answer from the index, so they have
    // a connection of their own and a short time limit
    let asked = node.as_ref().map(|node| node.with_timeout(RAW_PATIENCE));
    let asked = asked.map(|node| Arc::new(node) as Arc<dyn NodeCalls>);
    let engine = Arc::new(Engine::new(views, costs(config, &shares), progress.clone(), asked));
    if let (Some(node), false) = (&node, config.sync_only) {
        start_mempool(shares.mempool_bytes, node, served.clone(), stop.clone(), tips.clone())?;
    }
    let context = SyncContext {
        folder: folder.into(),
        loader: Arc::new(BlockLoader::new(dir, params).asking(node.clone())),
        served: served.clone(),
        node,
        check_node: node_check(config.clone()),
        on_tip: announcer(tips.clone()),
        progress: progress.clone(),
        stop: stop.clone(),
    };
    let settings = SyncSettings {
        memory_bytes: config.memory_bytes,
        wait_for_download: waits_for_node(config),
        threads: thread::available_parallelism().map_or(1, |count| count.get()),
        upkeep: UpkeepSettings {
            // the other third is for what writing these blocks takes
            recent_bytes: shares.recent_bytes / 3 * 2,
            ..UpkeepSettings::default()
        },
        sync_only: config.sync_only,
    };
    let sources = Sources { engine, calls, served, progress, shares, tips };
    Ok((Driver { context, settings }, sources))
}

/// The network's constants. On a signet whose magic is not configured, bitcoind is asked for the
/// challenge that the magic follows from; `None` if a signal to stop comes first.
async fn chain_params(
    config: &Config,
    node: Option<&Rpc>,
    signals: &mut Signals,
) -> Result<Option<ChainParams>> {
    let params = ChainParams::of(config.network.params()).with_magic(config.magic);
    match (node, config.network, config.magic_was_set) {
        (Some(node), Network::Signet, false) => {
            let magic = ask_node(node, config, signals).await?;
            Ok(magic.map(|magic| params.with_magic(magic)))
        }
        _ => Ok(Some(params)),
    }
}

async fn ask_node(node: &Rpc, config: &Config, signals: &mut Signals) -> Result<Option<[u8; 4]>> {
    loop {
        // bitcoind may be away for hours, and systemd kills a service that is not ready in time
        notify::extend_timeout(START_PATIENCE);
        let (node, config) = (node.clone(), config.clone());
        let asked = tokio::task::spawn_blocking(move || fits::check(&node, &config)).await;
        match asked.map_err(|error| Error::Software(error.to_string()))? {
            Ok(facts) => return Ok(Some(facts.magic)),
            Err(Error::Away(why)) => {
                warn!("waiting for bitcoind: {why}");
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            request = signals.next() => if request == OperatorRequest::Stop {
                return Ok(None);
            },
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
}

fn summary(state: &State, folder: &Path) {
    let bytes = fs::metadata(folder.join(INDEX_FILE)).map_or(0, |meta| meta.len());
    println!(
        "height={} transactions={} index_bytes={bytes} bytes_per_transaction={:.2} \
         peak_memory_bytes={}",
        state.blocks.saturating_sub(1),
        state.txs,
        bytes as f64 / f64::from(state.txs.max(1)),
        memory::peak_rss_bytes().unwrap_or(0)
    );
}
