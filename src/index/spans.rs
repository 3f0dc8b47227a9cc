//! Spans: up to sixteen consecutive transactions of a block, as they lie in its bytes.
//!
//! A span is the unit in which transactions are found and proven. For each span the index holds, in
//! table `spans`, where it ends in its block and a checksum over its bytes, and in table `nodes`
//! the Merkle node over its txids. To read a transaction its whole span is read, some 7 KB that lie
//! together. If the checksum fits, every byte of the span is what was indexed, the witnesses too.
//!
//! Blocks do not begin at multiples of sixteen transactions. The first span of the block at height
//! `h` whose first transaction is `f` is item `f / 16 + h`, with the quotient rounded down; the
//! block's further spans follow. So now and then an item or two between blocks stay unused; they
//! are zeros.

use crate::ids::{Height, TxNum};
use crate::parse::bytes::compact_size_len;

/// A full span has 2 to the power of this transactions, so that it is a subtree of this height in
/// the Merkle tree of its block.
pub const SPAN_LEVEL: u32 = 4;
/// Transactions of a full span.
pub const SPAN_TXS: u32 = 1 << SPAN_LEVEL;

/// Offset of the first transaction in a block of `txs` transactions.
pub fn first_tx_offset(txs: u32) -> u32 {
    80 + compact_size_len(u64::from(txs)) as u32
}

/// Number of the item that the first span of a block has.
pub fn first_span_of(height: Height, first: TxNum) -> u64 {
    u64::from(first.0 / SPAN_TXS) + u64::from(height.0)
}

/// The number of spans of a block of `txs` transactions.
pub fn spans_of(txs: u32) -> u32 {
    txs.div_ceil(SPAN_TXS)
}

/// The number of Merkle nodes that are stored of a block of `txs` transactions: one for each span.
/// A block of a single span needs none, since its header has the root.
pub fn nodes_of(txs: u32) -> u32 {
    if txs > SPAN_TXS { spans_of(txs) } else { 0 }
}

/// What table `spans` holds of each span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanItem {
    /// Where it ends in the block, counted from the header's first byte.
    pub end: u32,
    /// CRC32C of its bytes.
    pub crc: u32,
}

impl SpanItem {
    /// Length of the item: three bytes for the end, four for the checksum.
    pub const BYTES: usize = 7;

    /// The item as it is stored. Blocks are shorter than 2^24 bytes.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let ([a, b, c, _], [d, e, f, g]) = (self.end.to_le_bytes(), self.crc.to_le_bytes());
        [a, b, c, d, e, f, g]
    }

    /// The item from its stored form.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> SpanItem {
        let [a, b, c, d, e, f, g] = *bytes;
        SpanItem { end: u32::from_le_bytes([a, b, c, 0]), crc: u32::from_le_bytes([d, e, f, g]) }
    }
}

/// The spans of a block, from the lengths of its transactions.
pub fn spans_in(block: &[u8], lens: &[u32]) -> Vec<SpanItem> {
    let mut end = first_tx_offset(lens.len() as u32) as usize;
    let span = |lens: &[u32]| {
        let start = end;
        end += lens.iter().map(|len| *len as usize).sum::<usize>();
        let crc = crc32c::crc32c(block.get(start..end).unwrap_or_default());
        SpanItem { end: end as u32, crc }
    };
    lens.chunks(SPAN_TXS as usize).map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_neighbouring_blocks_do_not_overlap() {
        let (mut first, mut free) = (0, 0);
        for height in 0..3000u32 {
            let txs = 1 + height * 7919 % 67;
            let start = first_span_of(Height(height), TxNum(first));
            assert!(start >= free && start <= free + 2, "block {height} of {txs}");
            free = start + u64::from(spans_of(txs));
            first += txs;
        }
    }

    #[test]
    fn an_item_comes_back_from_its_bytes() {
        let item = SpanItem { end: 3_999_999, crc: 0x0102_0304 };
        assert_eq!(SpanItem::decode(&item.encode()), item);
        assert_eq!(item.encode()[3..], [4, 3, 2, 1]);
    }
}
