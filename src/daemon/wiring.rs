//! Connects the parts with the configuration and with each other: sockets, sessions, announcements,
//! threads.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use listenfd::ListenFd;
use log::warn;
use tokio::net::TcpListener;

use crate::config::network::Network;
use crate::config::{Config, DuringIbd};
use crate::error::{Error, Result};
use crate::host::disk::{self, Storage};
use crate::host::stop::StopToken;
use crate::live::served::Served;
use crate::live::tip::TipChange;
use crate::live::touched::Touched;
use crate::node::fits;
use crate::node::rpc::Rpc;
use crate::query::engine::Costs;
use crate::server::electrum::tips::TipChannel;
use crate::server::net::settings::Settings;
use crate::session::config::{Host, SessionConfig, Texts};
use crate::shares::Shares;
use crate::sync::context::NodeCheck;
use crate::sync::mempool::MempoolSync;

/// How long bitcoind may take to answer a question about its mempool.
const MEMPOOL_PATIENCE: Duration = Duration::from_secs(60);

/// How the memory is divided while serving. The length of the chain is not known yet, so a bound is
/// taken for it: only testnet3 has more than a million blocks.
pub fn shares(config: &Config) -> Shares {
    let blocks = match config.network {
        Network::Testnet3 => 5_000_000,
        _ => 1_000_000,
    };
    Shares::of(config.memory_bytes, blocks, config.max_clients as usize)
}

/// What one question may cost.
pub fn costs(config: &Config, shares: &Shares) -> Costs {
    Costs {
        max_history: config.max_history,
        query_time: config.query_time,
        summary_bytes: shares.summary_bytes,
    }
}

/// Whether indexing waits for bitcoind's first download. On a rotating disk both at once would take
/// longer than one after the other; an SD card would wear.
pub fn waits_for_node(config: &Config) -> bool {
    match config.index_during_ibd {
        DuringIbd::Always => false,
        DuringIbd::Never => true,
        DuringIbd::Auto => {
            matches!(disk::storage(&config.blocks_dir), Storage::Rotating | Storage::Card)
        }
    }
}

/// Takes the sockets that systemd opened; if there are none, opens every configured address.
pub async fn bind(config: &Config) -> Result<Vec<TcpListener>> {
    let mut listeners = activated()?;
    if !listeners.is_empty() {
        return Ok(listeners);
    }
    for address in &config.listen {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Error::TryAgain(format!(
                "cannot listen on {address}: {error}; is another Electrum server running? Choose \
                 another port with --listen"
            ))
        })?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Sockets of a .socket unit, in its order.
fn activated() -> Result<Vec<TcpListener>> {
    let failed = |error: std::io::Error| {
        Error::Config(format!(
            "systemd passed a socket that cannot be used: {error} -> hekte.socket takes \
             ListenStream= with addresses and ports only"
        ))
    };
    let mut passed = ListenFd::from_env();
    let mut listeners = Vec::new();
    for i in 0..passed.len() {
        if let Some(listener) = passed.take_tcp_listener(i).map_err(failed)? {
            listener.set_nonblocking(true).map_err(failed)?;
            listeners.push(TcpListener::from_std(listener).map_err(failed)?);
        }
    }
    Ok(listeners)
}

/// Opens the port for dashboards. If it is taken, a line in the log says so, and hekte goes on
/// without: balances matter more.
pub async fn bind_metrics(config: &Config) -> Option<TcpListener> {
    let address = config.metrics?;
    match TcpListener::bind(address).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            warn!(
                "cannot serve metrics on {address}: {error}; going on without. Is electrs running? \
                 Set metrics to another port, or to off"
            );
            None
        }
    }
}

/// The limits of the server.
pub fn server_settings(config: &Config, shares: &Shares) -> Settings {
    let usual = Settings::default();
    Settings {
        max_clients: config.max_clients as usize,
        max_queued_bytes: shares.reply_bytes,
        max_queued_bytes_per_client: shares.reply_bytes_per_client(),
        max_request_bytes: shares.request_bytes,
        // a question may take as long as the configuration allows; that does not count as hanging
        silence_max: usual.silence_max.max(config.query_time.saturating_mul(4)),
        ..usual
    }
}

/// What sessions say of the server.
pub fn session_config(
    config: &Config,
    shares: &Shares,
    listeners: &[TcpListener],
) -> SessionConfig {
    let mut session = SessionConfig::new(config.network.genesis_hash());
    session.software.clone_from(&config.server_name);
    session.texts = Texts::of(&config.banner, &config.donation_address);
    session.max_subscriptions = config.max_subscriptions as usize;
    session.max_watched = shares.watched;
    let address = listeners.first().and_then(|listener| listener.local_addr().ok());
    session.hosts = address
        .map(|address| Host {
            name: address.ip().to_string(),
            tcp_port: Some(address.port()),
            ssl_port: None,
        })
        .into_iter()
        .collect();
    session
}

/// Announces each new tip to the sessions.
pub fn announcer(tips: TipChannel) -> Box<dyn Fn(TipChange) + Send> {
    Box::new(move |change| tips.announce(change))
}

/// Announces to the sessions what a change of the mempool touched; the tip stays as it is.
fn mempool_announcer(tips: TipChannel, served: Arc<Served>) -> Box<dyn Fn(Touched) + Send> {
    Box::new(move |touched| {
        tips.announce_touched(TipChange { tip: served.snapshot().newest(), touched });
    })
}

/// Checks whether a bitcoind is the one that the configuration means.
pub fn node_check(config: Config) -> NodeCheck {
    Box::new(move |node| fits::check(node, &config).map(drop))
}

/// Starts the thread that keeps the mempool in step.
pub fn start_mempool(
    bytes_max: usize,
    node: &Rpc,
    served: Arc<Served>,
    stop: StopToken,
    tips: TipChannel,
) -> Result<()> {
    let mempool = MempoolSync {
        node: node.with_timeout(MEMPOOL_PATIENCE),
        served: served.clone(),
        stop,
        bytes_max,
        on_change: mempool_announcer(tips, served),
    };
    let start = thread::Builder::new().name("mempool".into()).spawn(move || mempool.run());
    start.map(drop).map_err(|error| Error::Io(format!("cannot start the mempool thread: {error}")))
}
