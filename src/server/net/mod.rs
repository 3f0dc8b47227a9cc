//! The transport: sockets accepted, threads and memory bounded, the signal to stop; no protocol.

pub mod listener;
pub mod memory;
pub mod settings;
pub mod shutdown;
pub mod stream;
pub mod workers;
