//! Encodes sorted postings into chunks: posting lists are added to a chunk until its row is full.

use crate::ids::{PrefixBits, ShortPrefix, TxNum};
use crate::index::bits::{BitWriter, gamma_cost, rice_cost};
use crate::limits::{LIST_POSTINGS_MAX, ROW_BYTES_MAX};

use super::format::{
    CRC_BYTES, Chunk, FIRST_BYTES, HEADER_BYTES, K_BITS, LINK_BYTES, PREFIX_BITS, Posting,
    TXNUM_BITS, TxRange,
};

/// The error for a posting that is not larger than the one before it, or lies outside of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("postings out of order")]
pub struct OutOfOrder;

/// Turns sorted postings into chunks.
pub struct ChunkEncoder {
    range: TxRange,
    width: u32,
    k: u32,
    writer: BitWriter,
    /// Numbers of postings and of lists in the open chunk.
    count: u16,
    lists: u64,
    first_prefix: ShortPrefix,
    last_prefix: ShortPrefix,
    /// The list that is being collected: its prefix and its txnums.
    prefix: ShortPrefix,
    txnums: Vec<u32>,
}

impl ChunkEncoder {
    /// An encoder for a run over `range` with prefixes of `bits`. `postings` is about how many will
    /// come: the k of the first chunk is chosen by it.
    pub fn new(range: TxRange, bits: PrefixBits, postings: u64) -> Self {
        ChunkEncoder {
            range,
            width: TXNUM_BITS - range.count().saturating_sub(1).leading_zeros(),
            k: rice_k(bits.end() / postings.max(1)),
            writer: BitWriter::default(),
            count: 0,
            lists: 0,
            first_prefix: ShortPrefix(0),
            last_prefix: ShortPrefix(0),
            prefix: ShortPrefix(0),
            txnums: Vec::with_capacity(LIST_POSTINGS_MAX),
        }
    }

    /// Takes the next posting, which must be larger than the one before and have a txnum within the
    /// run. Returns a chunk when one is full.
    pub fn push(&mut self, posting: Posting) -> Result<Option<Chunk>, OutOfOrder> {
        let Posting { prefix, txnum: TxNum(txnum) } = posting;
        let last = self.txnums.last().copied();
        let follows = last.is_none() || (self.prefix, last) < (prefix, Some(txnum));
        if !follows || !self.range.contains(posting.txnum) {
            return Err(OutOfOrder);
        }
        let mut full = None;
        if prefix != self.prefix || self.txnums.len() == LIST_POSTINGS_MAX {
            full = self.write_list();
            self.prefix = prefix;
        }
        self.txnums.push(txnum);
        Ok(full)
    }

    /// Ends the run and returns the chunks that are left, two at most.
    pub fn finish(mut self) -> impl Iterator<Item = Chunk> {
        let full = self.write_list();
        full.into_iter().chain(self.close())
    }

    fn write_list(&mut self) -> Option<Chunk> {
        let (Some(&first), count) = (self.txnums.first(), self.txnums.len() as u32) else {
            return None;
        };
        let (gap_k, gaps_cost) = best_gap_k(&self.txnums);
        let mut gap = self.prefix.0 - self.last_prefix.0;
        let cost = gamma_cost(count) + self.width + gaps_cost;
        let bits = self.writer.len_bits() + (rice_cost(gap, self.k, PREFIX_BITS) + cost) as usize;
        let mut full = None;
        if self.count == 0 || bits > (ROW_BYTES_MAX - CRC_BYTES) * 8 {
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
        self.lists += 1;
        self.last_prefix = self.prefix;
        self.txnums.clear();
        full
    }

    fn open(&mut self) {
        self.first_prefix = self.prefix;
        let mut header = Vec::with_capacity(ROW_BYTES_MAX);
        // the link is filled in when the chunk is stored; see `Chunk::seal`
        header.extend([0; LINK_BYTES]);
        header.extend(&self.prefix.0.to_le_bytes()[..FIRST_BYTES]);
        header.extend([0, 0, self.k as u8, self.width as u8]);
        self.writer = BitWriter::new(header);
    }

    fn close(&mut self) -> Option<Chunk> {
        if self.count == 0 {
            return None;
        }
        let mut bytes = std::mem::take(&mut self.writer).finish();
        let at = LINK_BYTES + FIRST_BYTES;
        bytes[at..at + 2].copy_from_slice(&self.count.to_le_bytes());
        debug_assert!((HEADER_BYTES..=ROW_BYTES_MAX - CRC_BYTES).contains(&bytes.len()));
        if self.lists > 1 {
            self.k = rice_k((self.last_prefix.0 - self.first_prefix.0) / (self.lists - 1));
        }
        self.count = 0;
        self.lists = 0;
        Some(Chunk { prefixes: (self.first_prefix, self.last_prefix), bytes })
    }
}

/// The best k for geometrically distributed gaps with this mean.
fn rice_k(mean: u64) -> u32 {
    // this is log2(mean * ln 2), since ln 2 is nearly 11/16
    (mean.saturating_mul(11) / 16).max(1).ilog2().min(31)
}

/// The k that writes the gaps of a list in the fewest bits, and the number of these bits, those of
/// k itself included. A list of one posting has no gaps: both are 0.
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
    // most gaps are much smaller than the mean, which a few large ones raise: so smaller k are
    // tried for as long as they save bits
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
