//! The serving side: which listener speaks what, and the end of all connections.

pub mod electrum;
pub mod http;
pub mod net;

use std::io;
use std::sync::Arc;

use log::info;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::server::electrum::common::Common;
use crate::server::electrum::connection::serve_client;
use crate::server::electrum::tips::TipChannel;
use crate::server::http::metrics::serve_metrics;
use crate::server::http::page::Facts;
use crate::server::net::listener::{ClientLimit, accept_clients};
use crate::server::net::memory::ByteBudget;
use crate::server::net::settings::Settings;
use crate::server::net::shutdown::Shutdown;
use crate::server::net::workers::Workers;
use crate::session::hub::SessionHub;

/// What the clients of a listener speak.
pub enum Speaks {
    /// The Electrum protocol.
    Electrum,
    /// HTTP, with what dashboards and probes ask for.
    Metrics(Arc<Facts>),
}

/// Serves clients on all `listeners` until `shutdown`, then gives connections a bounded time to
/// finish. Must run on a tokio runtime with timers and sockets.
///
/// # Errors
/// When a listener does not know its own address.
pub async fn run(
    listeners: Vec<(TcpListener, Speaks)>,
    shutdown: Shutdown,
    tips: TipChannel,
    settings: Settings,
    hub: Arc<SessionHub>,
) -> io::Result<()> {
    let (workers, patience) = (Arc::new(Workers::new(&settings)), settings.shutdown_wait);
    let limit = ClientLimit::new(settings.max_clients);
    let common = Arc::new(Common {
        hub,
        workers: workers.clone(),
        replies: ByteBudget::new(settings.max_queued_bytes),
        requests: ByteBudget::new(settings.max_request_bytes),
        tips,
        settings,
    });
    let mut accepting = JoinSet::new();
    for (listener, speaks) in listeners {
        let (address, stop) = (listener.local_addr()?, shutdown.clone());
        match speaks {
            Speaks::Electrum => {
                info!("serving Electrum RPC on {address}");
                let (common, signal) = (common.clone(), shutdown.clone());
                accepting.spawn(accept_clients(listener, stop, limit.clone(), move |client| {
                    tokio::spawn(serve_client(client, common.clone(), signal.clone()));
                }));
            }
            Speaks::Metrics(facts) => {
                info!("serving metrics on http://{address}/metrics");
                accepting.spawn(serve_metrics(listener, stop, facts));
            }
        }
    }
    let accepted = async { while accepting.join_next().await.is_some() {} };
    tokio::select! {
        () = workers.keep_beating() => {}
        () = accepted => {}
    }
    limit.all_gone(patience).await;
    Ok(())
}
