//! What the index holds, as rows: postings of scripts and txids, spans of transactions, Merkle
//! nodes.

pub mod belongs;
pub mod bits;
pub mod chunk;
pub mod encoders;
pub mod extract;
pub mod items;
pub mod merge;
pub mod packed;
pub mod pages;
pub mod rounds;
pub mod rows;
pub mod spans;
