//! The limits of the serving side that can be set: clients, memory, time.

use std::time::Duration;

use crate::limits;

/// The limits of the serving side. The defaults are those of `limits.rs`; tests set smaller ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most clients connected at once.
    pub max_clients: usize,
    /// Threads that answer questions from the index.
    pub index_workers: usize,
    /// Threads that wait for bitcoind.
    pub node_workers: usize,
    /// Most bytes of replies computed but not yet written, over all clients.
    pub max_queued_bytes: usize,
    /// Most bytes of replies computed but not yet written, of one client.
    pub max_queued_bytes_per_client: usize,
    /// Most bytes of requests being read and answered, over all clients.
    pub max_request_bytes: usize,
    /// A client that sends nothing for this long is disconnected.
    pub idle_timeout: Duration,
    /// A client that reads nothing for this long is disconnected.
    pub write_timeout: Duration,
    /// Pause before scripts and outpoints that could not be checked are checked again.
    pub retry_pause: Duration,
    /// After this time without an answer to any question of any client, the server counts as hung.
    pub silence_max: Duration,
    /// How long connections may take to finish when the server stops.
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
