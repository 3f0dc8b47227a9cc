//! The node beside us.

mod auth;
pub mod calls;
pub mod chain;
mod counted;
pub mod error;
pub mod fits;
mod http;
pub mod mempool;
pub mod rpc;
pub mod tip_wait;
pub mod transactions;
