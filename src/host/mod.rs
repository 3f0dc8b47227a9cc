//! The machine around us: log, terminal, service manager, signals, memory, disks, permissions.

pub mod access;
pub mod acl;
pub mod beat;
pub mod disk;
pub mod lock;
pub mod log;
pub mod malloc;
pub mod memory;
pub mod notify;
pub mod priority;
pub mod signal;
pub mod stop;
pub mod terminal;
