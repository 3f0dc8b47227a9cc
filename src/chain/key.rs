//! What a block is known by while files are scanned: half of its hash, and where it stands.

use bitcoin::hashes::Hash;

use crate::blockfile::dir::FilePos;
use crate::ids::{BlockHash, HeaderBytes};
use crate::parse::tx::header;

/// The first 16 bytes of a block hash (internal order). Finding another block with the same ones
/// would take 2^128 tries, so they name it as well as all 32 do, in half the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey(pub [u8; 16]);

impl BlockKey {
    /// Of a hash.
    pub fn of(hash: &BlockHash) -> BlockKey {
        BlockKey(hash.as_byte_array().first_chunk().copied().unwrap_or_default())
    }

    /// Of a header.
    pub fn of_header(bytes: &HeaderBytes) -> BlockKey {
        BlockKey::of(&header::hash(bytes))
    }

    /// Hashes are as good as random at their internal beginning.
    pub(super) fn table_hash(self) -> u64 {
        self.0.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
    }
}

/// A block that is to be read: which one, and where its copies stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// Which block.
    pub key: BlockKey,
    /// Whether another block stands on the same parent, or may.
    pub contested: bool,
    /// Where it was found first.
    pub first: FilePos,
    /// Where else.
    pub others: Vec<FilePos>,
}

impl Copies {
    /// Where every copy stands.
    pub fn all(&self) -> impl Iterator<Item = FilePos> {
        [self.first].into_iter().chain(self.others.iter().copied())
    }
}
