//! Chunks of a run: page-sized rows of sorted postings (prefix, txnum), bit-packed and checksummed.

mod decode;
mod encode;
mod format;
#[cfg(test)]
mod tests;

pub use self::decode::{ChunkDecoder, DamagedChunk, Paused};
pub use self::encode::ChunkEncoder;
pub use self::format::{Chunk, ChunkKey, Posting, TxRange, open_row, row_crc, seal_row, sealed};
