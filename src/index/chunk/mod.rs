//! Chunks of a run: page-sized rows of sorted postings (prefix, txnum), bit-packed and checksummed.
//!
//! A chunk is filed under a key of 63 bits: its first prefix (40 bits), then a sequence number
//! (23 bits) that counts the chunks of a run that begin with the same prefix. Its bytes:
//!
//! | bytes | what |
//! |---|---|
//! | 2 | number of postings, little-endian |
//! | 1 | k of the Rice code of prefix gaps |
//! | 1 | width in bits of a first txnum |
//! | … | groups, bit by bit |
//! | 4 | CRC32C over the key (8 bytes, big-endian) and all bytes before, little-endian |
//!
//! A group: gap to the prefix before (Rice k; 0 in the chunk's first group, and where a group
//! goes on with the prefix before), number of postings (Elias gamma), first txnum counted from the
//! run's first (fixed width); where there are more, the k of their gaps (5 bits) and each gap
//! less one (Rice).

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use crate::ids::{Prefix, TxNum};

pub use self::decode::{ChunkDecoder, DamagedChunk, Paused};
pub use self::encode::ChunkEncoder;

const HEADER_BYTES: usize = 4;
const CRC_BYTES: usize = 4;
const SEQUENCE_BITS: u32 = 23;
const PREFIX_BITS: u32 = 40;
const TXNUM_BITS: u32 = 32;
const K_BITS: u32 = 5;

/// One entry of the index: the transaction touches a hash with that prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// First bits of a script hash or txid.
    pub prefix: Prefix,
    /// The transaction.
    pub txnum: TxNum,
}

/// Under which a chunk is filed in its run; see the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkKey(pub i64);

impl ChunkKey {
    /// The smallest key of a chunk that begins with `prefix`.
    pub fn first_of(prefix: Prefix) -> ChunkKey {
        ChunkKey((prefix.0 << SEQUENCE_BITS) as i64)
    }

    /// The largest key of a chunk that begins with `prefix`.
    pub fn last_of(prefix: Prefix) -> ChunkKey {
        ChunkKey(ChunkKey::first_of(prefix).0 | ((1 << SEQUENCE_BITS) - 1))
    }

    /// The chunk's first prefix.
    pub fn prefix(self) -> Prefix {
        Prefix(self.0 as u64 >> SEQUENCE_BITS)
    }

    /// The key of the next chunk, which begins with `prefix`.
    pub fn after(self, prefix: Prefix) -> ChunkKey {
        if self.prefix() == prefix { ChunkKey(self.0 + 1) } else { ChunkKey::first_of(prefix) }
    }
}

/// A chunk ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its place.
    pub key: ChunkKey,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Chunk {
    /// Gives it another place.
    pub fn refile(&mut self, key: ChunkKey) {
        self.key = key;
        self.bytes.truncate(self.bytes.len().saturating_sub(CRC_BYTES));
        seal_row(key.0, &mut self.bytes);
    }
}

/// Which txnums a run covers: `first..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxRange {
    /// The first one.
    pub first: TxNum,
    /// One behind the last.
    pub end: TxNum,
}

impl TxRange {
    /// How many.
    pub fn count(self) -> u32 {
        self.end.0.saturating_sub(self.first.0)
    }

    /// Whether it holds `txnum`.
    pub fn contains(self, txnum: TxNum) -> bool {
        self.first <= txnum && txnum < self.end
    }
}

/// The checksum of rows: CRC32C over key and bytes.
pub fn row_crc(key: i64, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&key.to_be_bytes()), bytes)
}

/// Appends the checksum to a row.
pub fn seal_row(key: i64, bytes: &mut Vec<u8>) {
    let crc = row_crc(key, bytes);
    bytes.extend(crc.to_le_bytes());
}

/// A sealed copy of a row, with no byte to spare: a batch holds tens of thousands of them.
pub fn sealed(key: i64, bytes: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(bytes.len() + CRC_BYTES);
    row.extend_from_slice(bytes);
    seal_row(key, &mut row);
    row
}

/// The row without its checksum; `None` if that does not fit.
pub fn open_row(key: i64, bytes: &[u8]) -> Option<&[u8]> {
    let (row, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
    (row_crc(key, row) == u32::from_le_bytes(*crc)).then_some(row)
}
