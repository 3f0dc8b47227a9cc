//! Parsing in place: blocks, transactions and undo data, without allocation.

pub mod block;
pub mod bytes;
pub mod compress;
pub mod tx;
pub mod undo;
