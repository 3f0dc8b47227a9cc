//! Electrum clients on sockets: lines in, replies and notifications out.

pub mod answer;
pub mod common;
pub mod connection;
pub mod outbox;
pub mod tips;
pub mod watch;
