//! The conversation with one client: a line in, steps out; no socket and no task.

pub mod batch;
pub mod config;
pub mod dispatch;
pub mod faults;
pub mod fees;
pub mod node_questions;
pub mod notify;
pub mod subscription;
pub mod talk;
