//! The conversation with one client: a line in, steps out; no socket and no task.

pub mod config;
pub mod dispatch;
pub mod faults;
pub mod features;
pub mod hub;
pub mod job;
pub mod node_questions;
pub mod request_batch;
pub mod subscription;
pub mod talk;
pub mod watch_list;
