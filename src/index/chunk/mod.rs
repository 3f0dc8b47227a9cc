//! Chunks of a run: rows of sorted postings (prefix, txnum), bit-packed, checksummed and linked.

mod decode;
mod encode;
mod format;
#[cfg(test)]
mod tests;

pub use self::decode::{ChunkDecoder, DamagedChunk, Paused};
pub use self::encode::{ChunkEncoder, OutOfOrder};
pub use self::format::{Chunk, ChunkKey, Posting, Tally, TxRange};
