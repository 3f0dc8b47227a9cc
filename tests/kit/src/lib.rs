//! Chains, block files, naive answers, a real bitcoind and a byte-level client for tests.
//!
//! From a seed to blocks: `rng`, `keys`, `script`, `wallet`, `sign`, `block`, `recipe`, `maker`
//! (block by block, with forks) and `chain` (a whole chain or a stream of it). From blocks to
//! files: `compress`, `undo`, `arrival`, `files`. From blocks to right answers: `proof`, `model`.
//! Real parts: `scratch`, `small_disk`, `rpc`, `bitcoind`, and on the other side `client`, `hekte`,
//! and `child`, a process of a test binary that is there to be killed.

pub mod rng;

pub mod keys;
pub mod script;

pub mod sign;
pub mod wallet;

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

pub mod scratch;
pub mod small_disk;

pub mod rpc;

pub mod bitcoind;

pub mod child;
pub mod client;
pub mod hekte;
