//! Chunks of a run: rows of sorted postings (prefix, txnum), bit-packed, checksummed, and linked.
//!
//! A chunk is filed under the last posting that it holds: a key of 63 bits, its last prefix (40
//! bits) and a sequence number (23 bits) that counts the chunks of a run that end with the same
//! prefix. Its bytes:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | key of the chunk before it in the run, little-endian; -1 in the first one |
//! | 5 | first prefix, little-endian |
//! | 2 | number of postings, little-endian |
//! | 1 | k of the Rice code of prefix gaps |
//! | 1 | width in bits of a first txnum |
//! | … | posting lists, bit by bit |
//! | 4 | CRC32C over number of the run, key and all bytes before, little-endian |
//!
//! So a chunk says, under its checksum, which keys it answers for: those behind the key of the
//! chunk before it, up to its own. A search that finds the first chunk at or behind a place reads
//! one row, and that row proves that nothing else could have held what was looked for.
//!
//! A posting list: gap to the prefix before (Rice k; 0 in the chunk's first list, and where a list
//! goes on with the prefix before), number of postings (Elias gamma), first txnum counted from the
//! run's first (fixed width); where there are more, the k of their gaps (5 bits) and each gap
//! less one (Rice).

use crate::ids::{ShortPrefix, TxNum};
use crate::index::rows::RowTable;

pub(super) const LINK_BYTES: usize = 8;
pub(super) const FIRST_BYTES: usize = 5;
pub(super) const HEADER_BYTES: usize = LINK_BYTES + FIRST_BYTES + 4;
pub(super) const CRC_BYTES: usize = 4;
const SEQUENCE_BITS: u32 = 23;
pub(super) const PREFIX_BITS: u32 = 40;
pub(super) const TXNUM_BITS: u32 = 32;
pub(super) const K_BITS: u32 = 5;

/// One entry of a run: the transaction touches a hash with that prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting {
    /// First bits of a script hash or txid.
    pub prefix: ShortPrefix,
    /// The transaction.
    pub txnum: TxNum,
}

/// Under which a chunk is filed in its run; see the head of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChunkKey(pub i64);

impl ChunkKey {
    /// Stands before the first chunk of a run, and is the last key of an empty one.
    pub const NONE: ChunkKey = ChunkKey(-1);

    /// The smallest key of a chunk that ends with `prefix`: all postings of smaller prefixes are in
    /// chunks below it.
    pub fn first_of(prefix: ShortPrefix) -> ChunkKey {
        ChunkKey((prefix.0 << SEQUENCE_BITS) as i64)
    }

    /// The chunk's last prefix.
    pub fn prefix(self) -> ShortPrefix {
        ShortPrefix(self.0.max(0) as u64 >> SEQUENCE_BITS)
    }

    /// The key of the next chunk, which ends with `prefix`.
    pub fn after(self, prefix: ShortPrefix) -> ChunkKey {
        if self != ChunkKey::NONE && self.prefix() == prefix {
            ChunkKey(self.0 + 1)
        } else {
            ChunkKey::first_of(prefix)
        }
    }
}

/// An encoded chunk that has no place in its run yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its first and its last prefix.
    pub(super) prefixes: (ShortPrefix, ShortPrefix),
    /// Its bytes; link and checksum come with [`Chunk::seal`].
    pub(super) bytes: Vec<u8>,
}

impl Chunk {
    /// Gives the chunk its place behind `previous` in run `table`; `None` if it does not belong
    /// there because it begins before `previous` ends. Its key and the finished row come back.
    pub fn seal(mut self, table: RowTable, previous: ChunkKey) -> Option<(ChunkKey, Vec<u8>)> {
        let (first, last) = self.prefixes;
        if previous != ChunkKey::NONE && first < previous.prefix() {
            return None;
        }
        let key = previous.after(last);
        self.bytes[..LINK_BYTES].copy_from_slice(&previous.0.to_le_bytes());
        table.seal(key.0, &mut self.bytes);
        Some((key, self.bytes))
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

/// How many postings there are, and a sum over their content that does not depend on their order:
/// a merge must come to the sum of what it was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Their number.
    pub postings: u64,
    /// Sum of a hash of each, modulo 2^64.
    pub sum: u64,
}

impl Tally {
    /// Counts one more.
    #[inline]
    pub fn add(&mut self, posting: Posting) {
        self.postings = self.postings.wrapping_add(1);
        self.sum = self.sum.wrapping_add(mix(posting));
    }

    /// Both together.
    pub fn plus(self, other: Tally) -> Tally {
        Tally {
            postings: self.postings.wrapping_add(other.postings),
            sum: self.sum.wrapping_add(other.sum),
        }
    }
}

/// A hash of 64 bits over a posting, cheap: two multiplications (constants of splitmix64).
#[inline]
fn mix(posting: Posting) -> u64 {
    let Posting { prefix: ShortPrefix(prefix), txnum: TxNum(txnum) } = posting;
    let mut z = prefix.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(txnum);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 29)
}
