//! Sorted postings to chunks: groups are written until the page is full.

use crate::ids::Prefix;
use crate::index::bits::{BitWriter, gamma_cost, rice_cost};
use crate::limits::{CHUNK_BYTES_MAX, GROUP_POSTINGS_MAX};

use super::format::{
    CRC_BYTES, Chunk, ChunkKey, K_BITS, PREFIX_BITS, Posting, TXNUM_BITS, TxRange, seal_row,
};

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
