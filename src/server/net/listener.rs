//! Accepts clients: so many at once, and patiently when accepting fails.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use log::{debug, info, warn};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use crate::host::beat::Beat;
use crate::limits::{BEAT_EVERY, SERVER_SILENCE_MAX};
use crate::metrics;
use crate::server::Common;
use crate::server::electrum::connection::{End, serve};
use crate::server::net::shutdown::Shutdown;

/// Pause after the first failed accept; doubles up to the second figure (file descriptors run out
/// and come back).
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// Silence before the first probe of a connection, and between probes.
const KEEP_ALIVE_SECONDS: (u32, u32) = (120, 30);
/// At most one line about refused clients in this time.
const REFUSAL_LOG_PAUSE: Duration = Duration::from_secs(30);

/// Accepts until the signal to stop; each client runs in a task of its own.
pub(crate) async fn accept_clients(
    listener: TcpListener,
    mut shutdown: Shutdown,
    common: Arc<Common>,
) {
    let mut pause = PAUSES.0;
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
                    () = sleep(pause) => pause = (pause * 2).min(PAUSES.1),
                }
                continue;
            }
        };
        pause = PAUSES.0;
        let Ok(permit) = common.clients.clone().try_acquire_owned() else {
            metrics::CLIENTS_REFUSED.add(1);
            refused.one(&peer.to_string(), common.settings.max_clients);
            continue;
        };
        prepare(&stream);
        let (common, shutdown) = (common.clone(), shutdown.clone());
        metrics::CLIENTS_ACCEPTED.add(1);
        let counted = metrics::CLIENTS.hold();
        tokio::spawn(async move {
            debug!("client {peer} connected");
            let end = serve(stream, common, shutdown).await;
            match end {
                End::Write(error) if error.kind() == ErrorKind::TimedOut => {
                    info!("client {peer} dropped: {error}");
                }
                End::ByClient | End::Stopping | End::Read(_) | End::Write(_) => {
                    debug!("client {peer} left: {end}")
                }
                End::Tls => warn!("client {peer} dropped: {end}"),
                _ => info!("client {peer} dropped: {end}"),
            }
            drop((permit, counted));
        });
    }
}

/// No delay for small replies, and a probe of silent peers: phones vanish without a word.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    // best effort: a socket that refuses an option still works
    let _ = setsockopt(stream, sockopt::KeepAlive, &true);
    let _ = setsockopt(stream, sockopt::TcpKeepIdle, &KEEP_ALIVE_SECONDS.0);
    let _ = setsockopt(stream, sockopt::TcpKeepInterval, &KEEP_ALIVE_SECONDS.1);
}

/// Clients turned away since the last line about them.
#[derive(Debug, Default)]
struct Refused {
    last_line: Option<Instant>,
    since: usize,
}

impl Refused {
    fn one(&mut self, peer: &str, max_clients: usize) {
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
