//! Chains, block files, naive answers, a real bitcoind and a byte-level client for tests.

pub mod rng;
pub mod keys;
pub mod script;
pub mod wallet;
pub mod sign;
pub mod block;
pub mod recipe;
pub mod maker;
pub mod chain;
pub mod compress;
pub mod undo;
pub mod arrival;
pub mod files;
pub mod proof;
pub mod model;
pub mod rpc;
pub mod scratch;
pub mod bitcoind;
