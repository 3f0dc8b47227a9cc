//! The TCP side: accepts clients, runs their questions on few threads, writes their replies.

pub mod electrum;
pub mod http;
pub mod net;

use std::io;
use std::sync::Arc;

use log::{info, warn};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::server::electrum::outbox::Budget;
use crate::server::electrum::tips::TipChannel;
use crate::server::net::listener::accept_clients;
use crate::server::net::settings::Settings;
use crate::server::net::shutdown::Shutdown;
use crate::server::net::workers::Workers;
use crate::session::hub::SessionHub;

/// What all connections share.
pub(crate) struct Common {
    /// For the sessions.
    pub(crate) hub: Arc<SessionHub>,
    /// The limits.
    pub(crate) settings: Settings,
    /// The threads that ask.
    pub(crate) workers: Workers,
    /// Memory for replies on their way.
    pub(crate) budget: Budget,
    /// Memory for requests being read and answered.
    pub(crate) requests: Budget,
    /// Where tip changes come from.
    pub(crate) tips: TipChannel,
    /// One permit for each client.
    pub(crate) clients: Arc<Semaphore>,
}

/// Serves clients on all `listeners` until `shutdown`, then gives connections a bounded time to
/// finish. Must run on a tokio runtime with timers and sockets.
///
/// # Errors
/// When a listener does not know its own address.
pub async fn run(
    listeners: Vec<TcpListener>,
    shutdown: Shutdown,
    tips: TipChannel,
    settings: Settings,
    hub: Arc<SessionHub>,
) -> io::Result<()> {
    let mut addresses = Vec::new();
    for listener in &listeners {
        addresses.push(listener.local_addr()?);
    }
    let common = Arc::new(Common {
        hub,
        workers: Workers::new(&settings),
        budget: Budget::new(settings.max_queued_bytes),
        requests: Budget::new(settings.max_request_bytes),
        clients: Arc::new(Semaphore::new(settings.max_clients)),
        tips,
        settings,
    });
    let mut accepting = JoinSet::new();
    for (listener, address) in listeners.into_iter().zip(addresses) {
        info!("serving Electrum RPC on {address}");
        accepting.spawn(accept_clients(listener, shutdown.clone(), common.clone()));
    }
    let beating = async { common.workers.keep_beating().await };
    let accepted = async { while accepting.join_next().await.is_some() {} };
    tokio::select! {
        () = beating => {}
        () = accepted => {}
    }
    finish(&common).await;
    Ok(())
}

/// Waits until every client has given its permit back.
async fn finish(common: &Common) {
    let all = u32::try_from(common.settings.max_clients).unwrap_or(u32::MAX);
    let wait = common.settings.shutdown_wait;
    if timeout(wait, common.clients.acquire_many(all)).await.is_err() {
        let left = common.settings.max_clients.saturating_sub(common.clients.available_permits());
        warn!("{left} clients did not finish within {wait:?}");
    }
}
