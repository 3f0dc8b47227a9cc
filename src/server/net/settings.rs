//! The limits of the serving side that may be set: clients, memory, time.

use std::time::Duration;

use crate::limits;

/// The limits of the serving side. The defaults are those of `limits.rs`; tests set smaller ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Clients at once.
    pub max_clients: usize,
    /// Threads that ask the index.
    pub index_workers: usize,
    /// Threads that wait for bitcoind.
    pub node_workers: usize,
    /// Replies computed but not written, over all clients.
    pub max_queued_bytes: usize,
    /// Replies computed but not written, of one client.
    pub max_queued_bytes_per_client: usize,
    /// Requests being read and answered, over all clients.
    pub max_request_bytes: usize,
    /// A silent client is let go after this.
    pub idle_timeout: Duration,
    /// A client that takes nothing is let go after this.
    pub write_timeout: Duration,
    /// Pause before scripts and outpoints are looked at again after a look that failed.
    pub retry_pause: Duration,
    /// After this time without an answer to any question of any client, the server counts as hung.
    pub silence_max: Duration,
    /// How long connections may take to finish at the end.
    pub shutdown_wait: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            max_clients: limits::MAX_CLIENTS,
            index_workers: limits::INDEX_WORKERS,
            node_workers: limits::NODE_WORKERS,
            max_queued_bytes: limits::MAX_QUEUED_BYTES,
            max_queued_bytes_per_client: limits::MAX_QUEUED_BYTES_PER_CLIENT,
            max_request_bytes: limits::MAX_REQUEST_BYTES,
            idle_timeout: limits::IDLE_TIMEOUT,
            write_timeout: limits::WRITE_TIMEOUT,
            retry_pause: limits::RETRY_PAUSE,
            silence_max: limits::SERVER_SILENCE_MAX,
            shutdown_wait: limits::SHUTDOWN_WAIT,
        }
    }
}
