//! The signals a service gets, as one stream of what to do.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{Error, Result};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorRequest {
    /// SIGTERM or SIGINT: finish and exit 0.
    Stop,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals received since this was made; dropping it does not restore their default actions.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Starts to listen; must be called inside a tokio runtime.
    pub fn listen() -> Result<Signals> {
        let open = |kind| {
            signal(kind).map_err(|error| Error::Io(format!("cannot listen for signals: {error}")))
        };
        Ok(Signals {
            terminate: open(SignalKind::terminate())?,
            interrupt: open(SignalKind::interrupt())?,
            hangup: open(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal. The future may be dropped and made again, as in `select!`.
    pub async fn next(&mut self) -> OperatorRequest {
        tokio::select! {
            _ = self.terminate.recv() => OperatorRequest::Stop,
            _ = self.interrupt.recv() => OperatorRequest::Stop,
            _ = self.hangup.recv() => OperatorRequest::Reload,
        }
    }
}
