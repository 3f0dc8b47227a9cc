//! The machine around us: log, service manager, signals, memory, disks, file permissions.

pub mod access;
pub mod beat;
pub mod disk;
pub mod log;
pub mod memory;
pub mod notify;
pub mod priority;
pub mod signal;
