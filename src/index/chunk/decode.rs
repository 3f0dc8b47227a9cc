//! Decodes chunks to postings. No byte is trusted, even where the checksum fits.

use crate::ids::{Prefix, ShortPrefix, TxNum};
use crate::index::bits::{BitReader, ESCAPE_ONES, PEEK_BITS};
use crate::index::rows::RowTable;

use super::format::{
    CRC_BYTES, ChunkKey, FIRST_BYTES, HEADER_BYTES, K_BITS, LINK_BYTES, PREFIX_BITS, Posting,
    TXNUM_BITS,
};

/// Reads the postings of a chunk. Where the bytes make no posting, it gives one error and ends.
#[derive(Clone, Debug)]
pub struct ChunkDecoder<'a> {
    reader: BitReader<'a>,
    state: State,
    previous: ChunkKey,
}

/// The place where a decoder stopped, without the bytes of the chunk.
#[derive(Clone, Copy, Debug)]
pub struct Paused {
    at: usize,
    state: State,
}

#[derive(Clone, Copy, Debug)]
struct State {
    first: u32,
    k: u32,
    width: u32,
    /// `left` postings are not read yet; `list_left` of them are in the present list.
    left: u32,
    list_left: u32,
    gap_k: u32,
    prefix: u64,
    txnum: u32,
}

/// The error for a chunk whose bytes are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("damaged chunk")]
pub struct DamagedChunk;

impl<'a> ChunkDecoder<'a> {
    /// Checks the checksum and starts at the first posting. `first` is the run's first txnum.
    pub fn new(
        table: RowTable,
        key: ChunkKey,
        bytes: &'a [u8],
        first: TxNum,
    ) -> Result<Self, DamagedChunk> {
        let row = table.open(key.0, bytes).ok_or(DamagedChunk)?;
        let (header, lists) = row.split_first_chunk::<HEADER_BYTES>().ok_or(DamagedChunk)?;
        let (link, rest) = header.split_first_chunk::<LINK_BYTES>().ok_or(DamagedChunk)?;
        let (prefix, rest) = rest.split_first_chunk::<FIRST_BYTES>().ok_or(DamagedChunk)?;
        let &[low, high, k, width] = rest else { return Err(DamagedChunk) };
        if u32::from(k) > PREFIX_BITS || u32::from(width) > TXNUM_BITS {
            return Err(DamagedChunk);
        }
        let mut first_prefix = [0; 8];
        first_prefix[..FIRST_BYTES].copy_from_slice(prefix);
        let state = State {
            first: first.0,
            k: u32::from(k),
            width: u32::from(width),
            left: u32::from(u16::from_le_bytes([low, high])),
            list_left: 0,
            gap_k: 0,
            prefix: u64::from_le_bytes(first_prefix),
            txnum: 0,
        };
        let previous = ChunkKey(i64::from_le_bytes(*link));
        Ok(ChunkDecoder { reader: BitReader::new(lists), state, previous })
    }

    /// The key of the chunk before this one in the run: no chunk has a key between the two.
    pub fn previous(&self) -> ChunkKey {
        self.previous
    }

    /// The place where this decoder stands, to go on from there later.
    pub fn pause(&self) -> Paused {
        Paused { at: self.reader.at(), state: self.state }
    }

    /// Goes on in `bytes` where [`ChunkDecoder::pause`] stopped in them. Their checksum was checked
    /// when the chunk was begun, so it is not checked again.
    pub fn resume(bytes: &'a [u8], paused: Paused) -> Self {
        let end = bytes.len().saturating_sub(CRC_BYTES);
        let lists = bytes.get(HEADER_BYTES..end).unwrap_or_default();
        let reader = BitReader::resume(lists, paused.at);
        ChunkDecoder { reader, state: paused.state, previous: ChunkKey::NONE }
    }

    /// Reads the next list, if it holds one posting and its bits fit into one word; `None` if not.
    /// Most lists hold one posting. One look at the bits then gives all three codes (gap, number,
    /// txnum), where [`ChunkDecoder::step`] reads them one by one.
    #[inline]
    fn lone(&mut self) -> Option<Posting> {
        let (reader, state) = (&mut self.reader, &mut self.state);
        let bits = reader.peek();
        let ones = bits.leading_ones();
        let gap_bits = ones + 1 + state.k;
        let all_bits = gap_bits + 1 + state.width;
        if ones >= ESCAPE_ONES || all_bits > PEEK_BITS || (bits << gap_bits).leading_ones() == 0 {
            return None;
        }
        let field = |start: u32, width: u32| match width {
            0 => 0,
            _ => (bits << start) >> (u64::BITS - width),
        };
        let gap = u64::from(ones) << state.k | field(ones + 1, state.k);
        let prefix = state.prefix.checked_add(gap).filter(|p| *p < Prefix::END)?;
        let txnum = state.first.checked_add(field(gap_bits + 1, state.width) as u32)?;
        reader.advance(all_bits)?;
        (state.prefix, state.txnum) = (prefix, txnum);
        Some(Posting { prefix: ShortPrefix(prefix), txnum: TxNum(txnum) })
    }

    /// Skips lists of one posting each whose prefix is below `prefix`. It stops before the first
    /// other list, which the iterator reads. A search for one posting spends most of its time here,
    /// so only the gaps between prefixes are decoded.
    pub fn skip_below(&mut self, prefix: ShortPrefix) {
        let (reader, state) = (&mut self.reader, &mut self.state);
        if state.list_left > 0 || state.k == 0 {
            return;
        }
        let (mut at, mut left, mut here) = (reader.at(), state.left, state.prefix);
        let bytes = reader.bytes();
        while left > 0
            && let Some(eight) = bytes.get(at / 8..).and_then(|rest| rest.first_chunk::<8>())
        {
            let bits = u64::from_be_bytes(*eight) << (at % 8);
            let ones = bits.leading_ones();
            let gap_bits = ones + 1 + state.k;
            if ones >= ESCAPE_ONES || gap_bits >= PEEK_BITS || (bits << gap_bits) >> 63 == 0 {
                break;
            }
            let next =
                here + (u64::from(ones) << state.k | (bits << (ones + 1)) >> (u64::BITS - state.k));
            if next >= prefix.0 {
                break;
            }
            here = next;
            at += (gap_bits + 1 + state.width) as usize;
            left -= 1;
        }
        *reader = BitReader::resume(bytes, at);
        (state.left, state.prefix) = (left, here);
    }

    #[inline]
    fn step(&mut self) -> Option<Posting> {
        if self.state.list_left == 0
            && let Some(lone) = self.lone()
        {
            return Some(lone);
        }
        let (reader, state) = (&mut self.reader, &mut self.state);
        if state.list_left == 0 {
            let gap = reader.rice(state.k, PREFIX_BITS)?;
            state.prefix = state.prefix.checked_add(gap).filter(|p| *p < Prefix::END)?;
            state.list_left = reader.gamma()?;
            let offset = reader.bits(state.width)? as u32;
            state.txnum = state.first.checked_add(offset)?;
            if state.list_left > 1 {
                state.gap_k = reader.bits(K_BITS)? as u32;
            }
        } else {
            let gap = u32::try_from(reader.rice(state.gap_k, TXNUM_BITS)?).ok()?;
            state.txnum = state.txnum.checked_add(gap)?.checked_add(1)?;
        }
        state.list_left -= 1;
        Some(Posting { prefix: ShortPrefix(state.prefix), txnum: TxNum(state.txnum) })
    }
}

impl Iterator for ChunkDecoder<'_> {
    type Item = Result<Posting, DamagedChunk>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.state.left = self.state.left.checked_sub(1)?;
        let posting = self.step().ok_or(DamagedChunk);
        if posting.is_err() {
            self.state.left = 0;
        }
        Some(posting)
    }
}
