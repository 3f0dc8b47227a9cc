//! What the index holds: postings of scripts and txids, transaction lengths, Merkle nodes, as rows.

pub mod belongs;
pub mod bits;
pub mod chunk;
pub mod encoders;
pub mod extract;
pub mod items;
pub mod lens;
pub mod merge;
pub mod packed;
pub mod pages;
pub mod rounds;
