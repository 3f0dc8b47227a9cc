//! The HTTP side: the port for dashboards and probes.

pub mod head;
pub mod metrics;
pub mod page;
