//! The transport: sockets accepted, worker threads, limits and the signal to stop; no protocol.

pub mod listener;
pub mod settings;
pub mod shutdown;
pub mod workers;
