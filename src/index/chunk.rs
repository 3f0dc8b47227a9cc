//! Chunks of a run: page-sized rows of sorted postings (prefix, txnum), bit-packed, with a checksum.
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

use crate::ids::{Prefix, TxNum};
use crate::limits::{CHUNK_BYTES_MAX, GROUP_POSTINGS_MAX};

use super::bits::{BitReader, BitWriter, gamma_cost, rice_cost};

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

    fn after(self, prefix: Prefix) -> ChunkKey {
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

/// The row without its checksum; `None` if that does not fit.
pub fn open_row(key: i64, bytes: &[u8]) -> Option<&[u8]> {
    let (row, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
    (row_crc(key, row) == u32::from_le_bytes(*crc)).then_some(row)
}

/// Turns sorted postings into chunks.
pub struct ChunkEncoder {
    range: TxRange,
    width: u32,
    k: u32,
    key: Option<ChunkKey>,
    writer: BitWriter,
    count: u16,
    groups: u64,
    last_prefix: Prefix,
    /// The group being collected.
    prefix: Prefix,
    txnums: Vec<u32>,
}

impl ChunkEncoder {
    /// For a run over `range` of about `postings` postings (the guess sets the first chunk's k).
    pub fn new(range: TxRange, postings: u64) -> Self {
        ChunkEncoder {
            range,
            width: TXNUM_BITS - range.count().saturating_sub(1).leading_zeros(),
            k: rice_k(Prefix::END / postings.max(1)),
            key: None,
            writer: BitWriter::default(),
            count: 0,
            groups: 0,
            last_prefix: Prefix(0),
            prefix: Prefix(0),
            txnums: Vec::with_capacity(GROUP_POSTINGS_MAX),
        }
    }

    /// Goes on behind a chunk that was stored earlier.
    pub fn resume_after(&mut self, last: ChunkKey) {
        self.key = Some(last);
    }

    /// Takes the next posting: larger than the one before, txnum within the run. A chunk comes
    /// out when one is full.
    pub fn push(&mut self, posting: Posting) -> Option<Chunk> {
        assert!(self.range.contains(posting.txnum), "posting outside of its run");
        let mut full = None;
        let goes_on = posting.prefix == self.prefix && !self.txnums.is_empty();
        if goes_on {
            assert!(self.txnums.last() < Some(&posting.txnum.0), "postings out of order");
        }
        if !goes_on || self.txnums.len() == GROUP_POSTINGS_MAX {
            assert!(posting.prefix >= self.prefix, "postings out of order");
            full = self.write_group();
            self.prefix = posting.prefix;
        }
        self.txnums.push(posting.txnum.0);
        full
    }

    /// Ends the run; up to two chunks come out.
    pub fn finish(mut self) -> impl Iterator<Item = Chunk> {
        let full = self.write_group();
        full.into_iter().chain(self.close())
    }

    fn write_group(&mut self) -> Option<Chunk> {
        let (Some(&first), count) = (self.txnums.first(), self.txnums.len() as u32) else {
            return None;
        };
        let (gap_k, gaps_cost) = best_gap_k(&self.txnums);
        let mut gap = self.prefix.0 - self.last_prefix.0;
        let cost = gamma_cost(count) + self.width + gaps_cost;
        let bits = self.writer.len_bits() + (rice_cost(gap, self.k, PREFIX_BITS) + cost) as usize;
        let mut full = None;
        if self.count == 0 || bits > (CHUNK_BYTES_MAX - CRC_BYTES) * 8 {
            full = self.close();
            self.open();
            gap = 0;
        }
        self.writer.rice(gap, self.k, PREFIX_BITS);
        self.writer.gamma(count);
        self.writer.bits(u64::from(first - self.range.first.0), self.width);
        if count > 1 {
            self.writer.bits(u64::from(gap_k), K_BITS);
            for pair in self.txnums.windows(2) {
                self.writer.rice(u64::from(pair[1] - pair[0] - 1), gap_k, TXNUM_BITS);
            }
        }
        self.count += count as u16;
        self.groups += 1;
        self.last_prefix = self.prefix;
        self.txnums.clear();
        full
    }

    fn open(&mut self) {
        let key = match self.key {
            Some(last) => last.after(self.prefix),
            None => ChunkKey::first_of(self.prefix),
        };
        self.key = Some(key);
        let mut header = Vec::with_capacity(CHUNK_BYTES_MAX);
        header.extend([0, 0, self.k as u8, self.width as u8]);
        self.writer = BitWriter::new(header);
    }

    fn close(&mut self) -> Option<Chunk> {
        let key = self.key.filter(|_| self.count > 0)?;
        let mut bytes = std::mem::take(&mut self.writer).finish();
        bytes[..2].copy_from_slice(&self.count.to_le_bytes());
        seal_row(key.0, &mut bytes);
        assert!(bytes.len() <= CHUNK_BYTES_MAX, "chunk over its page");
        if self.groups > 1 {
            self.k = rice_k((self.last_prefix.0 - key.prefix().0) / (self.groups - 1));
        }
        self.count = 0;
        self.groups = 0;
        Some(Chunk { key, bytes })
    }
}

/// The best k for geometrically distributed gaps of that mean.
fn rice_k(mean: u64) -> u32 {
    // log2(mean * ln 2)
    (mean.saturating_mul(11) / 16).max(1).ilog2().min(31)
}

/// The k that writes the gaps of a group in the fewest bits, and the bits; none for one posting.
fn best_gap_k(txnums: &[u32]) -> (u32, u32) {
    let (Some(&first), Some(&last)) = (txnums.first(), txnums.last()) else {
        return (0, 0);
    };
    if txnums.len() < 2 {
        return (0, 0);
    }
    let cost = |k: u32| -> u32 {
        let gaps = txnums.windows(2).map(|pair| u64::from(pair[1] - pair[0] - 1));
        gaps.map(|gap| rice_cost(gap, k, TXNUM_BITS)).sum()
    };
    let mut k = rice_k(u64::from(last - first) / (txnums.len() as u64 - 1));
    let mut best = cost(k);
    // gaps come in bursts: a mean says too much, so try smaller ones while they pay
    while k > 0 {
        let smaller = cost(k - 1);
        if smaller > best {
            break;
        }
        k -= 1;
        best = smaller;
    }
    (k, best + K_BITS)
}

/// Reads the postings of a chunk; an item is `None` once where the bytes do not fit.
#[derive(Clone, Debug)]
pub struct ChunkDecoder<'a> {
    reader: BitReader<'a>,
    first: u32,
    k: u32,
    width: u32,
    /// Postings not yet read, and those of them in the present group.
    left: u32,
    group_left: u32,
    gap_k: u32,
    prefix: u64,
    txnum: u32,
}

/// A chunk whose bytes are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged chunk")]
pub struct DamagedChunk;

impl<'a> ChunkDecoder<'a> {
    /// Checks the checksum and starts at the first posting. `first` is the run's first txnum.
    pub fn new(key: ChunkKey, bytes: &'a [u8], first: TxNum) -> Result<Self, DamagedChunk> {
        let row = open_row(key.0, bytes).ok_or(DamagedChunk)?;
        let (&[low, high, k, width], groups) =
            row.split_first_chunk::<HEADER_BYTES>().ok_or(DamagedChunk)?;
        if u32::from(k) > PREFIX_BITS || u32::from(width) > TXNUM_BITS {
            return Err(DamagedChunk);
        }
        Ok(ChunkDecoder {
            reader: BitReader::new(groups),
            first: first.0,
            k: u32::from(k),
            width: u32::from(width),
            left: u32::from(u16::from_le_bytes([low, high])),
            group_left: 0,
            gap_k: 0,
            prefix: key.prefix().0,
            txnum: 0,
        })
    }

    #[inline]
    fn step(&mut self) -> Option<Posting> {
        if self.group_left == 0 {
            let gap = self.reader.rice(self.k, PREFIX_BITS)?;
            self.prefix = self.prefix.checked_add(gap).filter(|p| *p < Prefix::END)?;
            self.group_left = self.reader.gamma()?;
            let offset = self.reader.bits(self.width)? as u32;
            self.txnum = self.first.checked_add(offset)?;
            if self.group_left > 1 {
                self.gap_k = self.reader.bits(K_BITS)? as u32;
            }
        } else {
            let gap = u32::try_from(self.reader.rice(self.gap_k, TXNUM_BITS)?).ok()?;
            self.txnum = self.txnum.checked_add(gap)?.checked_add(1)?;
        }
        self.group_left -= 1;
        Some(Posting { prefix: Prefix(self.prefix), txnum: TxNum(self.txnum) })
    }
}

impl Iterator for ChunkDecoder<'_> {
    type Item = Result<Posting, DamagedChunk>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let posting = self.step().ok_or(DamagedChunk);
        if posting.is_err() {
            self.left = 0;
        }
        Some(posting)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn round_trip(postings: &[Posting], range: TxRange) -> Vec<Chunk> {
        let mut encoder = ChunkEncoder::new(range, postings.len() as u64);
        let mut chunks: Vec<Chunk> = postings.iter().filter_map(|p| encoder.push(*p)).collect();
        chunks.extend(encoder.finish());
        assert!(chunks.is_sorted_by_key(|chunk| chunk.key));
        let read: Vec<Posting> = chunks
            .iter()
            .flat_map(|chunk| ChunkDecoder::new(chunk.key, &chunk.bytes, range.first).unwrap())
            .map(Result::unwrap)
            .collect();
        assert_eq!(read, postings);
        chunks
    }

    #[test]
    fn a_hot_prefix_fills_chunks_that_stay_in_order() {
        let hot = (1000..90_000).map(|n| Posting { prefix: Prefix(77), txnum: TxNum(n * 50) });
        let few = [76, 78].map(|p| Posting { prefix: Prefix(p), txnum: TxNum(1001) });
        let postings: Vec<Posting> = [few[0]].into_iter().chain(hot).chain([few[1]]).collect();
        let chunks = round_trip(&postings, TxRange { first: TxNum(1000), end: TxNum(5_000_000) });
        let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        assert!(chunks.len() > 10 && bytes < postings.len() * 9 / 8, "{bytes} bytes");
        let filled = chunks.iter().rev().skip(1).all(|chunk| chunk.bytes.len() > 3900);
        assert!(filled, "all but the last chunk fill their pages");
    }

    #[test]
    fn one_flipped_bit_is_noticed() {
        let range = TxRange { first: TxNum(0), end: TxNum(10) };
        let chunk = round_trip(&[Posting { prefix: Prefix(5), txnum: TxNum(3) }], range).remove(0);
        for bit in 0..chunk.bytes.len() * 8 {
            let mut bytes = chunk.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(ChunkDecoder::new(chunk.key, &bytes, TxNum(0)).is_err());
        }
        assert!(ChunkDecoder::new(ChunkKey(chunk.key.0 + 1), &chunk.bytes, TxNum(0)).is_err());
    }

    proptest! {
        #[test]
        fn any_postings_come_back(
            mut pairs in prop::collection::vec(
                (prop_oneof![0..Prefix::END, 0..5u64, Just(Prefix::END - 1)], 7u32..), 0..3000),
        ) {
            pairs.sort_unstable();
            pairs.dedup();
            pairs.retain(|(_, txnum)| *txnum < u32::MAX);
            let postings: Vec<Posting> = pairs
                .iter()
                .map(|(p, n)| Posting { prefix: Prefix(*p), txnum: TxNum(*n) })
                .collect();
            round_trip(&postings, TxRange { first: TxNum(7), end: TxNum(u32::MAX) });
        }
    }
}
