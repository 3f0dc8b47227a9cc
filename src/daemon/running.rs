//! The parts while they run: started in order, watched until one ends, stopped in order.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use log::{error, info, warn};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::host::signal::{OperatorRequest, Signals};
use crate::host::terminal;
use crate::live::served::Served;
use crate::server::net::shutdown::{self, Trigger};
use crate::store::records::State;
use crate::sync::driver::Driver;

use super::progress_lines::ProgressLines;
use super::reload::reload;
use super::serving::{Serving, Sources};
use super::watch;

/// How long the sync thread may take to end its transaction when asked to stop.
pub const STOP_WAIT: Duration = Duration::from_secs(40);

/// How often it is checked whether a question met damage.
const DAMAGE_LOOK: Duration = Duration::from_millis(200);

/// How the sync thread ended; with `sync_only`, the state of the index that it built.
pub type Synced = Result<Option<State>>;

/// All parts that run.
pub struct Running {
    signals: Signals,
    served: Arc<Served>,
    /// `None` with `sync_only`.
    serving: Option<Serving>,
    /// Asks the serving part to stop.
    trigger: Trigger,
    /// The task that reports how far hekte is.
    reporting: tokio::task::JoinHandle<()>,
    sync: JoinHandle<()>,
    /// Receives how the sync thread ended.
    finished: oneshot::Receiver<Synced>,
}

impl Running {
    /// Starts the serving part, unless only the index is to be built, then the sync thread.
    pub async fn start(
        config: &Config,
        folder: &Path,
        driver: Driver,
        sources: Sources,
        signals: Signals,
    ) -> Result<Running> {
        let (served, progress) = (sources.served.clone(), sources.progress.clone());
        let (trigger, shutdown) = shutdown::channel();
        let serving = match config.sync_only {
            true => None,
            false => Some(Serving::start(config, folder, sources, shutdown).await?),
        };
        let lines = ProgressLines::new(progress, terminal::can_draw());
        let reporting = tokio::spawn(watch::report(lines));
        let (done, finished) = oneshot::channel();
        let sync = start_sync(driver, done)?;
        Ok(Running { signals, served, serving, trigger, reporting, sync, finished })
    }

    /// Waits until a signal, the sync thread or damage in the index ends the run.
    pub async fn until_end(&mut self, config: &Config) -> Synced {
        let Running { signals, served, serving, finished, .. } = self;
        let sessions = serving.as_ref().map(|serving| serving.sessions.clone());
        tokio::select! {
            outcome = wait(signals, finished, || reload(config, sessions.as_deref())) => outcome,
            why = damage(served) => Err(Error::Damaged(why)),
        }
    }

    /// Stops the serving part, then waits until all parts have ended. The sync thread must have
    /// been asked to stop before.
    pub async fn stop(self) {
        self.trigger.stop();
        if let Some(serving) = self.serving {
            serving.finish().await;
        }
        join(self.sync).await;
        self.reporting.abort();
    }
}

fn start_sync(mut driver: Driver, done: oneshot::Sender<Synced>) -> Result<JoinHandle<()>> {
    let work = move || {
        let outcome = driver.run();
        // sending fails only if the process is ending and the result is no longer waited for
        let _ = done.send(outcome);
    };
    thread::Builder::new()
        .name("sync".into())
        .spawn(work)
        .map_err(|error| Error::Io(format!("cannot start the sync thread: {error}")))
}

/// Waits for a signal to stop, or for the sync thread to end.
async fn wait(
    signals: &mut Signals,
    finished: &mut oneshot::Receiver<Synced>,
    reload: impl Fn(),
) -> Synced {
    loop {
        tokio::select! {
            outcome = &mut *finished => {
                return outcome.unwrap_or_else(|_| {
                    Err(Error::Software("the sync thread ended without a word".into()))
                });
            }
            request = signals.next() => match request {
                OperatorRequest::Stop => {
                    info!("stopping");
                    return Ok(None);
                }
                OperatorRequest::Reload => reload(),
            },
        }
    }
}

/// Waits until a question meets damage in the index.
async fn damage(served: &Served) -> String {
    loop {
        if let Some(why) = served.damage() {
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
