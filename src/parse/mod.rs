//! Facts from bytes: blocks, transactions and undo data visited in place, without allocation.

pub mod block;
pub mod bytes;
pub mod compress;
pub mod tx;
pub mod undo;
