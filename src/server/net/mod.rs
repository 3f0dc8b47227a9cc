//! The transport: sockets, bounded threads and memory, the signal to stop; it knows no protocol.

pub mod listener;
pub mod memory;
pub mod settings;
pub mod shutdown;
pub mod stream;
pub mod workers;
