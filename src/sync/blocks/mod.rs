//! Blocks from bitcoind's files, and their postings and rows on the way into the database.

pub mod batch;
pub mod load;
pub mod rollback;
pub mod scan;
