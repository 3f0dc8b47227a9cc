//! Everything together: opens what is needed, starts sync thread and server, stops them in order.

mod reload;
mod report;
mod serving;
mod watch;
mod wiring;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{debug, error, info, warn};
use tokio::runtime::Runtime;

use crate::blockfile::dir::BlockDir;
use crate::chain::params::ChainParams;
use crate::config::network::Network;
use crate::config::{Config, layout};
use crate::error::{Error, Result};
use crate::host::signal::{Request, Signals};
use crate::host::stop::StopToken;
use crate::host::{memory, notify, terminal};
use crate::limits::SHUTDOWN_WAIT;
use crate::live::progress::Progress;
use crate::live::served::Served;
use crate::node::calls::NodeCalls;
use crate::node::fits;
use crate::node::rpc::Rpc;
use crate::query::engine::Engine;
use crate::query::view::Views;
use crate::server;
use crate::server::electrum::tips::TipChannel;
use crate::store::folder::{INDEX_FILE, condemn, lock, remove_condemned, remove_index};
use crate::store::records::State;
use crate::sync::blocks::load::BlockLoader;
use crate::sync::context::SyncContext;
use crate::sync::driver::{Driver, SyncSettings};
use crate::sync::served::settings::UpkeepSettings;

use self::reload::reload;
use self::report::Reporter;
use self::serving::{Serving, Sources};
use self::wiring::{announcer, costs, node_check, shares, start_mempool, waits_for_node};

/// How long the sync thread may take to end its transaction when told to stop.
const STOP_WAIT: Duration = Duration::from_secs(40);

/// How long a start may take from each time on that bitcoind is asked for what is needed to begin.
const START_PATIENCE: Duration = Duration::from_secs(90);

/// How long bitcoind may take to send an unconfirmed transaction.
const RAW_PATIENCE: Duration = Duration::from_secs(5);

/// How often is looked whether a question met damage.
const DAMAGE_LOOK: Duration = Duration::from_millis(200);

/// What the sync thread came to.
type Synced = Result<Option<State>>;

/// Indexes and serves until a signal, an error, or with `sync_only` the end of the build.
pub fn run(config: &Config) -> Result<()> {
    for line in config.explain() {
        debug!("{line}");
    }
    config.verify_marker()?;
    let folder = config.index_dir();
    let _lock = lock(&folder)?;
    match config.rebuild {
        true => remove_index(&folder)?,
        false => remove_condemned(&folder)?,
    }
    let runtime = Runtime::new().map_err(|error| Error::Io(format!("async runtime: {error}")))?;
    let stop = StopToken::default();
    let outcome = runtime.block_on(serve(config, &folder, &stop));
    stop.request();
    notify::stopping();
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome.map_err(|error| match error {
        Error::Damaged(why) => condemn(&folder, &why),
        other => other,
    })
}

async fn serve(config: &Config, folder: &Path, stop: &StopToken) -> Result<()> {
    let mut signals = Signals::listen()?;
    let node = config.node.as_ref().map(Rpc::new);
    let params = chain_params(config, node.as_ref(), &mut signals).await?;
    let Some(params) = params else { return Ok(()) };
    layout::verify(&config.blocks_dir, config.network, params.magic)?;
    let (driver, sources) = assemble(config, folder, &params, node, stop)?;
    let (shared, progress) = (sources.live.clone(), sources.progress.clone());
    let (trigger, shutdown) = server::net::shutdown::channel();
    let serving = match config.sync_only {
        true => None,
        false => Some(Serving::start(config, folder, sources, shutdown).await?),
    };
    let reporter = Reporter::new(progress, terminal::can_draw());
    let reporting = tokio::spawn(watch::report(reporter));
    let (done, finished) = tokio::sync::oneshot::channel();
    let sync = start_sync(driver, done)?;
    let sessions = serving.as_ref().map(|serving| serving.sessions.clone());
    let outcome = tokio::select! {
        outcome = wait(&mut signals, finished, || reload(config, sessions.as_deref())) => outcome,
        why = damage(&shared) => Err(Error::Damaged(why)),
    };
    stop.request();
    notify::stopping();
    notify::extend_timeout(SHUTDOWN_WAIT + STOP_WAIT);
    trigger.stop();
    if let Some(serving) = serving {
        serving.finish().await;
    }
    join(sync).await;
    reporting.abort();
    let synced = outcome?;
    if let (true, Some(state)) = (config.sync_only, synced) {
        summary(&state, folder);
    }
    Ok(())
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
    let shared = Arc::new(Served::with_room_for(shares.watched_coins));
    let views = Views::new(
        folder.join(INDEX_FILE),
        *params,
        dir.clone(),
        shared.clone(),
        shares.span_bytes,
    );
    let calls = node.clone().map(|node| Arc::new(node) as Arc<dyn NodeCalls>);
    // on a connection of its own, and not for long: these questions hold workers of the index
    let asked = node.as_ref().map(|node| node.with_timeout(RAW_PATIENCE));
    let asked = asked.map(|node| Arc::new(node) as Arc<dyn NodeCalls>);
    let engine = Arc::new(Engine::new(views, costs(config, &shares), progress.clone(), asked));
    if let (Some(node), false) = (&node, config.sync_only) {
        start_mempool(shares.mempool_bytes, node, shared.clone(), stop.clone(), tips.clone())?;
    }
    let context = SyncContext {
        folder: folder.into(),
        loader: Arc::new(BlockLoader::new(dir, params).asking(node.clone())),
        shared: shared.clone(),
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
            recent_bytes: shares.recent_bytes / 3 * 2, // the rest while they are written
            ..UpkeepSettings::default()
        },
        sync_only: config.sync_only,
    };
    let sources = Sources { engine, calls, live: shared, progress, shares, tips };
    Ok((Driver { context, settings }, sources))
}

/// The network's constants; `None` if told to stop before bitcoind has said what it alone knows:
/// the bytes in front of a custom signet's blocks.
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
        // it may take hours, and systemd would give up on a service that does not get ready
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
            request = signals.next() => if request == Request::Stop {
                return Ok(None);
            },
            () = tokio::time::sleep(Duration::from_secs(2)) => {}
        }
    }
}

fn start_sync(
    mut driver: Driver,
    done: tokio::sync::oneshot::Sender<Synced>,
) -> Result<JoinHandle<()>> {
    let work = move || {
        let outcome = driver.run();
        // nobody waits any more only when the process is on its way out
        let _ = done.send(outcome);
    };
    thread::Builder::new()
        .name("sync".into())
        .spawn(work)
        .map_err(|error| Error::Io(format!("cannot start the sync thread: {error}")))
}

/// Waits for the end: a signal, or the sync thread's.
async fn wait(
    signals: &mut Signals,
    mut finished: tokio::sync::oneshot::Receiver<Synced>,
    reload: impl Fn(),
) -> Synced {
    loop {
        tokio::select! {
            outcome = &mut finished => {
                return outcome.unwrap_or_else(|_| {
                    Err(Error::Software("the sync thread ended without a word".into()))
                });
            }
            request = signals.next() => match request {
                Request::Stop => {
                    info!("stopping");
                    return Ok(None);
                }
                Request::Reload => reload(),
            },
        }
    }
}

/// Waits until a question meets damage in the index.
async fn damage(shared: &Served) -> String {
    loop {
        if let Some(why) = shared.damage() {
            return why;
        }
        tokio::time::sleep(DAMAGE_LOOK).await;
    }
}

async fn join(sync: JoinHandle<()>) {
    let joined = tokio::task::spawn_blocking(move || sync.join());
    match tokio::time::timeout(STOP_WAIT, joined).await {
        Ok(Ok(Ok(()))) => {}
        Ok(_) => error!("the sync thread failed"),
        Err(_) => warn!("the sync thread is still busy; its open transaction will be undone"),
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
