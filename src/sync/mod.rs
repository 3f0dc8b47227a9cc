//! The write half: from the files and bitcoind's word to the index, and to the tip that is served.

pub mod batch;
pub mod bulk;
pub mod load;
pub mod merge;
pub mod plan;
pub mod progress;
pub mod read;
pub mod rollback;
