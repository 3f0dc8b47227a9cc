//! Accepts clients up to a limit, and goes on after accepting has failed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use log::warn;
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::host::beat::Beat;
use crate::limits::{BEAT_EVERY, SERVER_SILENCE_MAX};
use crate::metrics::{self, CountedOne};
use crate::server::net::shutdown::Shutdown;

/// Pause after the first failed accept. It doubles after each further one, up to `LONGEST_PAUSE`:
/// accepting fails while there are no file descriptors left, and some are freed soon.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause after a failed accept.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Seconds of silence before the kernel first probes a connection.
const KEEP_ALIVE_IDLE_SECONDS: u32 = 120;
/// Seconds between further probes of a connection.
const KEEP_ALIVE_PROBE_SECONDS: u32 = 30;
/// Shortest time between two log lines about refused clients.
const REFUSAL_LOG_PAUSE: Duration = Duration::from_secs(30);

/// One permit for each client of all listeners together; clones share the permits.
#[derive(Clone)]
pub(crate) struct ClientLimit {
    permits: Arc<Semaphore>,
    max: usize,
}

/// A client's permit to be connected, kept for as long as the client is served.
pub(crate) struct Admission {
    _permit: OwnedSemaphorePermit,
    _counted: CountedOne,
}

/// A client that was accepted.
pub(crate) struct Client {
    /// Its connection.
    pub(crate) stream: TcpStream,
    /// Its address.
    pub(crate) peer: SocketAddr,
    /// The permit, to be dropped when the client has been served.
    pub(crate) admission: Admission,
}

impl ClientLimit {
    /// A limit of `max` clients at once.
    pub(crate) fn new(max: usize) -> ClientLimit {
        ClientLimit { permits: Arc::new(Semaphore::new(max)), max }
    }

    fn admit(&self) -> Option<Admission> {
        let permit = self.permits.clone().try_acquire_owned().ok()?;
        metrics::CLIENTS_ACCEPTED.add(1);
        Some(Admission { _permit: permit, _counted: metrics::CLIENTS.count_one() })
    }

    /// Waits until all clients have returned their permits, but no longer than `patience`.
    pub(crate) async fn all_gone(&self, patience: Duration) {
        let all = u32::try_from(self.max).unwrap_or(u32::MAX);
        if timeout(patience, self.permits.acquire_many(all)).await.is_err() {
            let left = self.max.saturating_sub(self.permits.available_permits());
            warn!("{left} clients did not finish within {patience:?}");
        }
    }
}

/// Accepts clients until the signal to stop. Calls `serve` with each client that was accepted;
/// `serve` must return at once.
pub(crate) async fn accept_clients(
    listener: TcpListener,
    mut shutdown: Shutdown,
    limit: ClientLimit,
    serve: impl Fn(Client),
) {
    let mut pause = FIRST_PAUSE;
    let mut refused = Refused::default();
    let beat = Beat::new("the loop that accepts clients");
    loop {
        beat.within(SERVER_SILENCE_MAX);
        let accepted = tokio::select! {
            () = shutdown.requested() => return,
            () = sleep(BEAT_EVERY) => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!("cannot accept a client: {error}; trying again in {pause:?}");
                tokio::select! {
                    () = shutdown.requested() => return,
                    () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                }
                continue;
            }
        };
        pause = FIRST_PAUSE;
        match limit.admit() {
            Some(admission) => {
                prepare(&stream);
                serve(Client { stream, peer, admission });
            }
            None => refused.one(peer, limit.max),
        }
    }
}

/// Sets options of a client's socket: small replies are sent without delay, and silent peers are
/// probed, since phones often disconnect without notice.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    // failures are ignored: a socket that refuses an option still works
    let _ = setsockopt(stream, sockopt::KeepAlive, &true);
    let _ = setsockopt(stream, sockopt::TcpKeepIdle, &KEEP_ALIVE_IDLE_SECONDS);
    let _ = setsockopt(stream, sockopt::TcpKeepInterval, &KEEP_ALIVE_PROBE_SECONDS);
}

/// The count of clients turned away since the last log line about them.
#[derive(Debug, Default)]
struct Refused {
    last_line: Option<Instant>,
    since: usize,
}

impl Refused {
    fn one(&mut self, peer: SocketAddr, max_clients: usize) {
        metrics::CLIENTS_REFUSED.add(1);
        self.since = self.since.saturating_add(1);
        if self.last_line.is_some_and(|at| at.elapsed() < REFUSAL_LOG_PAUSE) {
            return;
        }
        let since = std::mem::take(&mut self.since);
        warn!(
            "client {peer} refused: {max_clients} are connected already ({since} refused lately)"
        );
        self.last_line = Some(Instant::now());
    }
}
