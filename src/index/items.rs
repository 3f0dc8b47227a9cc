//! The items of the page tables, and their bytes: a block, its position, a Merkle node.
//!
//! Rows of equal-sized items are made and read in [`super::pages`]; what an item holds is said
//! here alone, for those who write it and those who read it. Numbers are little-endian.

use crate::blockfile::dir::{FileNum, FilePos};
use crate::ids::{HeaderBytes, TxNum};

use super::extract::NODE_TXS;

/// Bytes of a header.
const HEADER_BYTES: usize = size_of::<HeaderBytes>();

/// Bytes of a Merkle node, which is an item as it stands.
pub const NODE_BYTES: usize = 32;

/// What table `blocks` holds of each block, filed by height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockItem {
    /// Its header.
    pub header: HeaderBytes,
    /// Number of its first transaction.
    pub first: TxNum,
}

impl BlockItem {
    /// Length of the item.
    pub const BYTES: usize = HEADER_BYTES + 4;

    /// The item as it is stored.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (header, first) = bytes.split_at_mut(HEADER_BYTES);
        header.copy_from_slice(&self.header);
        first.copy_from_slice(&self.first.0.to_le_bytes());
        bytes
    }

    /// The item from its stored form.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> BlockItem {
        let (mut header, mut first) = ([0; HEADER_BYTES], [0; 4]);
        header.copy_from_slice(&bytes[..HEADER_BYTES]);
        first.copy_from_slice(&bytes[HEADER_BYTES..]);
        BlockItem { header, first: TxNum(u32::from_le_bytes(first)) }
    }
}

/// What table `positions` holds of each block, filed by height: where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionItem(pub FilePos);

impl PositionItem {
    /// Length of the item.
    pub const BYTES: usize = 8;

    /// The item as it is stored: number of the file, offset.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let PositionItem(FilePos { file, offset }) = self;
        let ([a, b, c, d], [e, f, g, h]) = (file.0.to_le_bytes(), offset.to_le_bytes());
        [a, b, c, d, e, f, g, h]
    }

    /// The item from its stored form.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> PositionItem {
        let [a, b, c, d, e, f, g, h] = *bytes;
        PositionItem(FilePos {
            file: FileNum(u32::from_le_bytes([a, b, c, d])),
            offset: u32::from_le_bytes([e, f, g, h]),
        })
    }
}

/// Number of the item in table `nodes` that belongs to the first full group of a block whose first
/// transaction is `first`; the block's further groups follow. Blocks do not begin at multiples of
/// [`NODE_TXS`], so an item between two blocks may stay unused.
pub fn first_node_of(first: TxNum) -> u64 {
    u64::from(first.0) / NODE_TXS as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_from_their_bytes() {
        let header = std::array::from_fn(|i| i as u8);
        let block = BlockItem { header, first: TxNum(0x0102_0304) };
        assert_eq!(block.encode()[80..], [4, 3, 2, 1]);
        assert_eq!(BlockItem::decode(&block.encode()), block);
        let position = PositionItem(FilePos { file: FileNum(5), offset: 0x0600_0007 });
        assert_eq!(position.encode(), [5, 0, 0, 0, 7, 0, 0, 6]);
        assert_eq!(PositionItem::decode(&position.encode()), position);
    }
}
