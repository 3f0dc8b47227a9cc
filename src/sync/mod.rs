//! The write half: from the files and bitcoind's word to the index, and to the tip that is served.

pub mod blocks;
pub mod build;
pub mod context;
pub mod driver;
pub mod follow;
pub mod mempool;
pub mod served;
