//! The write half: from the files and bitcoind's word to the index, and to the tip that is served.

pub mod batch;
pub mod budget;
pub mod build_headers;
pub mod bulk;
mod collect;
pub mod compact;
pub mod driver;
pub mod follow;
pub mod live;
pub mod load;
pub mod locate;
pub mod mempool;
pub mod merge;
mod new_blocks;
pub mod node_chain;
mod patience;
pub mod plan;
pub mod read;
pub mod rollback;
mod stored_table;
pub mod upkeep;
pub mod writer;
