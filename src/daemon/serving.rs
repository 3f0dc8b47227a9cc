//! The part that answers: sockets, sessions, the port for dashboards.

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::config::Config;
use crate::error::Result;
use crate::host::notify;
use crate::live::progress::Progress;
use crate::live::served::Served;
use crate::node::calls::NodeCalls;
use crate::query::engine::Engine;
use crate::query::relay::Relay;
use crate::server::electrum::tips::TipChannel;
use crate::server::http::page::Facts;
use crate::server::net::shutdown::Shutdown;
use crate::server::{self, Speaks};
use crate::session::hub::SessionHub;
use crate::shares::Shares;
use crate::store::folder::{BULK_FILE, INDEX_FILE};

use super::wiring::{bind, bind_metrics, server_settings, session_config};

/// What the answering part needs from the others.
pub struct Sources {
    /// Answers from index and mempool.
    pub engine: Arc<Engine>,
    /// bitcoind, if there is one.
    pub calls: Option<Arc<dyn NodeCalls>>,
    /// The moment that is served.
    pub served: Arc<Served>,
    /// How far the sync thread is.
    pub progress: Arc<Progress>,
    /// How memory is divided.
    pub shares: Shares,
    /// Where changes are announced to sessions.
    pub tips: TipChannel,
}

/// The running server.
pub struct Serving {
    task: JoinHandle<io::Result<()>>,
    /// What all sessions share.
    pub sessions: Arc<SessionHub>,
}

impl Serving {
    /// Opens the sockets, tells systemd that hekte is ready, and begins to answer.
    pub async fn start(
        config: &Config,
        folder: &Path,
        sources: Sources,
        shutdown: Shutdown,
    ) -> Result<Serving> {
        let Sources { engine, calls, served, progress, shares, tips } = sources;
        let listeners = bind(config).await?;
        let metrics = bind_metrics(config).await;
        let relay = Arc::new(Relay::new(engine.clone(), calls));
        let said = session_config(config, &shares, &listeners);
        let sessions = Arc::new(SessionHub::new(said, engine, relay));
        notify::ready();
        let mut speaking: Vec<_> = Vec::new();
        if let Some(listener) = metrics {
            let files = [folder.join(INDEX_FILE), folder.join(BULK_FILE)];
            let facts = Facts { progress, served, sessions: sessions.clone(), files };
            speaking.push((listener, Speaks::Metrics(Arc::new(facts))));
        }
        let settings = server_settings(config, &shares);
        let hub = sessions.clone();
        let electrum = listeners.into_iter().map(|listener| (listener, Speaks::Electrum));
        speaking.extend(electrum);
        let task = tokio::spawn(server::run(speaking, shutdown, tips, settings, hub));
        Ok(Serving { task, sessions })
    }

    /// Waits until all clients are done, once the server was asked to stop.
    pub async fn finish(self) {
        let _ = self.task.await;
    }
}
