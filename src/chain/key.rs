//! The identity of a block while files are scanned: half of its hash, and its positions.

use bitcoin::hashes::Hash;

use crate::blockfile::dir::FilePos;
use crate::ids::{BlockHash, HeaderBytes};
use crate::parse::tx::header;

/// The first 16 bytes of a block hash (internal order). Finding another block with this key takes
/// 2^128 tries, so the key identifies a block as well as all 32 bytes, in half the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey(pub [u8; 16]);

impl BlockKey {
    /// The key for a block hash.
    pub fn of(hash: &BlockHash) -> BlockKey {
        BlockKey(hash.as_byte_array().first_chunk().copied().unwrap_or_default())
    }

    /// The key for a header.
    pub fn of_header(bytes: &HeaderBytes) -> BlockKey {
        BlockKey::of(&header::hash(bytes))
    }

    /// The hash for a hash table: a block hash begins, in internal order, with bytes as good as
    /// random.
    pub(super) fn table_hash(self) -> u64 {
        self.0.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
    }
}

/// A block that is to be read: its key, and the positions of its copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// The block's key.
    pub key: BlockKey,
    /// Whether another block has the same parent, or may have.
    pub contested: bool,
    /// The position at which it was found first.
    pub first: FilePos,
    /// Its further positions.
    pub others: Vec<FilePos>,
}

impl Copies {
    /// The positions of all copies.
    pub fn all(&self) -> impl Iterator<Item = FilePos> {
        [self.first].into_iter().chain(self.others.iter().copied())
    }
}
