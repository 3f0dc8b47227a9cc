//! The items of the item tables, and their bytes: a block, its position, a Merkle node.
//!
//! [`super::pages`] makes and reads the rows that items share. What the bytes of an item mean is
//! written here alone, for writers and readers alike (for spans, in [`super::spans`]). Numbers are
//! little-endian.

use crate::blockfile::dir::{FileNum, FilePos};
use crate::ids::{HeaderBytes, TxNum};

/// Bytes of a header.
const HEADER_BYTES: usize = size_of::<HeaderBytes>();

/// Bytes of a Merkle node; its item is the node itself.
pub const NODE_BYTES: usize = 32;

/// What table `blocks` holds of each block, filed by height.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockItem {
    /// Its header.
    pub header: HeaderBytes,
    /// Number of its first transaction.
    pub first: TxNum,
    /// Its length, bytes. Stored for the REST interface to come; no answer reads it yet.
    pub bytes: u32,
    /// Its weight (BIP 141). Stored for the REST interface to come; no answer reads it yet.
    pub weight: u32,
}

impl BlockItem {
    /// Length of the item.
    pub const BYTES: usize = HEADER_BYTES + 12;

    /// The item as it is stored.
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (header, numbers) = bytes.split_at_mut(HEADER_BYTES);
        header.copy_from_slice(&self.header);
        let all = [self.first.0, self.bytes, self.weight];
        for (place, number) in numbers.as_chunks_mut().0.iter_mut().zip(all) {
            *place = u32::to_le_bytes(number);
        }
        bytes
    }

    /// The item from its stored form.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> BlockItem {
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(&bytes[..HEADER_BYTES]);
        let number = |at: usize| {
            let at = HEADER_BYTES + 4 * at;
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        BlockItem { header, first: TxNum(number(0)), bytes: number(1), weight: number(2) }
    }
}

/// What table `positions` holds of each block, filed by height: where it stands, and where its undo
/// record stands in the rev file of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionItem {
    /// Position of the block's header.
    pub block: FilePos,
    /// Offset of the undo record in its file; `None` for genesis, and where it is not known. Stored
    /// for the REST interface to come; no answer reads it yet.
    pub undo: Option<u32>,
}

impl PositionItem {
    /// Length of the item.
    pub const BYTES: usize = 12;

    /// The item as it is stored: number of the file, offset, offset of the undo record (0: none).
    pub fn encode(&self) -> [u8; Self::BYTES] {
        let FilePos { file, offset } = self.block;
        let ([a, b, c, d], [e, f, g, h]) = (file.0.to_le_bytes(), offset.to_le_bytes());
        let [i, j, k, l] = self.undo.unwrap_or(0).to_le_bytes();
        [a, b, c, d, e, f, g, h, i, j, k, l]
    }

    /// The item from its stored form.
    pub fn decode(bytes: &[u8; Self::BYTES]) -> PositionItem {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
        let block = FilePos {
            file: FileNum(u32::from_le_bytes([a, b, c, d])),
            offset: u32::from_le_bytes([e, f, g, h]),
        };
        let undo = Some(u32::from_le_bytes([i, j, k, l])).filter(|offset| *offset > 0);
        PositionItem { block, undo }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_from_their_bytes() {
        let header = std::array::from_fn(|i| i as u8);
        let first = TxNum(0x0102_0304);
        let block = BlockItem { header, first, bytes: 0x0506, weight: 0x0708 };
        assert_eq!(block.encode()[80..], [4, 3, 2, 1, 6, 5, 0, 0, 8, 7, 0, 0]);
        assert_eq!(BlockItem::decode(&block.encode()), block);
        let block = FilePos { file: FileNum(5), offset: 0x0600_0007 };
        let position = PositionItem { block, undo: Some(9) };
        assert_eq!(position.encode(), [5, 0, 0, 0, 7, 0, 0, 6, 9, 0, 0, 0]);
        assert_eq!(PositionItem::decode(&position.encode()), position);
    }
}
