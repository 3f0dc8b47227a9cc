//! Every block of the served chain in 16 bytes: first txnum, position, and a tag to check it by.

use std::sync::Arc;

use bitcoin::hashes::Hash;

use crate::blockfile::dir::FilePos;
use crate::ids::{BlockCount, BlockHash, HeaderBytes, Height, TxNum};
use crate::parse::tx::header;
use crate::shares::TABLE_BYTES_PER_BLOCK;

/// Blocks that share one allocation, copied only when one of them changes.
const PART_BLOCKS: usize = 4096;

/// What is held of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Txnum of its coinbase.
    pub first: TxNum,
    /// Where its header stands in the block files. That may be out of date, so what is read there
    /// is compared with `tag`.
    pub pos: FilePos,
    /// The beginning of its hash.
    pub tag: HeaderTag,
}

const _: () = assert!(size_of::<BlockInfo>() == TABLE_BYTES_PER_BLOCK);

/// The first four bytes of a block hash (internal order): enough to notice that another block
/// stands at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderTag([u8; 4]);

impl HeaderTag {
    /// The tag of the block with this header.
    pub fn of(header: &HeaderBytes) -> HeaderTag {
        HeaderTag::of_hash(&header::hash(header))
    }

    /// The tag of the block with this hash.
    pub fn of_hash(hash: &BlockHash) -> HeaderTag {
        let [a, b, c, d, ..] = *hash.as_byte_array();
        HeaderTag([a, b, c, d])
    }
}

/// The blocks of the served chain. Clones share the memory of parts that have not changed.
#[derive(Clone, Debug, Default)]
pub struct ChainTable {
    parts: Vec<Arc<Vec<BlockInfo>>>,
    blocks: u32,
    txs: u32,
}

impl ChainTable {
    /// Number of blocks.
    pub fn blocks(&self) -> BlockCount {
        BlockCount(self.blocks)
    }

    /// Number of transactions.
    pub fn txs(&self) -> u32 {
        self.txs
    }

    /// The block at a height.
    pub fn get(&self, height: Height) -> Option<BlockInfo> {
        let at = height.0 as usize;
        self.parts.get(at / PART_BLOCKS)?.get(at % PART_BLOCKS).copied()
    }

    /// Txnum of the first transaction after a block.
    pub fn end_of(&self, height: Height) -> TxNum {
        self.get(height.next()).map_or(TxNum(self.txs), |info| info.first)
    }

    /// Number of transactions in the block at a height.
    pub fn txs_of(&self, height: Height) -> u32 {
        let first = self.get(height).map_or(TxNum(self.txs), |info| info.first);
        self.end_of(height).offset_from(first).unwrap_or_default()
    }

    /// The height of the block that holds a transaction.
    pub fn height_of(&self, txnum: TxNum) -> Option<Height> {
        if txnum.0 >= self.txs {
            return None;
        }
        let starts = |part: &Arc<Vec<BlockInfo>>| part.first().is_some_and(|b| b.first <= txnum);
        let part = self.parts.partition_point(starts).checked_sub(1)?;
        let within = self.parts[part].partition_point(|info| info.first <= txnum).checked_sub(1)?;
        Some(Height((part * PART_BLOCKS + within) as u32))
    }

    /// Appends a block of `txs` transactions; its first txnum is the table's present end.
    pub fn push(&mut self, pos: FilePos, tag: HeaderTag, txs: u32) {
        if self.blocks as usize == self.parts.len() * PART_BLOCKS {
            self.parts.push(Arc::default());
        }
        if let Some(last) = self.parts.last_mut() {
            Arc::make_mut(last).push(BlockInfo { first: TxNum(self.txs), pos, tag });
        }
        self.blocks += 1;
        self.txs += txs;
    }

    /// Keeps the first `keep` blocks.
    pub fn truncate(&mut self, keep: BlockCount) {
        if keep >= self.blocks() {
            return;
        }
        self.txs = self.get(keep.next()).map_or(self.txs, |info| info.first.0);
        self.blocks = keep.0;
        let blocks = keep.0 as usize;
        self.parts.truncate(blocks.div_ceil(PART_BLOCKS));
        let rest = blocks % PART_BLOCKS;
        if let (Some(last), true) = (self.parts.last_mut(), rest > 0) {
            Arc::make_mut(last).truncate(rest);
        }
    }

    /// Corrects the position of a block; returns whether it was another one before.
    pub fn set_pos(&mut self, height: Height, pos: FilePos) -> bool {
        let at = height.0 as usize;
        let Some(part) = self.parts.get_mut(at / PART_BLOCKS) else {
            return false;
        };
        match part.get(at % PART_BLOCKS) {
            Some(info) if info.pos != pos => {
                Arc::make_mut(part)[at % PART_BLOCKS].pos = pos;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blockfile::dir::FileNum;

    #[test]
    fn finds_blocks_by_transaction_and_cuts() {
        let mut table = ChainTable::default();
        let pos = |n| FilePos { file: FileNum(n), offset: n * 3 };
        for n in 0..10_000u32 {
            table.push(pos(n), HeaderTag([0; 4]), n % 7 + 1);
        }
        let before = table.clone();
        for n in (0..10_000).step_by(97) {
            let height = Height(n);
            let info = table.get(height).unwrap_or_else(|| panic!("{n}"));
            assert_eq!(info.pos, pos(n));
            assert_eq!(table.height_of(info.first), Some(height));
            let last = TxNum(table.end_of(height).0 - 1);
            assert_eq!(table.height_of(last), Some(height));
            assert_eq!(table.txs_of(height), n % 7 + 1);
        }
        assert_eq!(table.height_of(TxNum(table.txs())), None);
        assert!(table.set_pos(Height(5000), pos(1)) && !table.set_pos(Height(5000), pos(1)));
        for cut in [9000, 8192, 4097, 4096, 0] {
            table.truncate(BlockCount(cut));
            let txs = before.get(Height(cut)).map_or(0, |info| info.first.0);
            assert_eq!((table.blocks().0, table.txs()), (cut, txs));
            assert_eq!(table.get(Height(cut)), None);
        }
        table.push(pos(1), HeaderTag([0; 4]), 1);
        assert_eq!((table.txs(), before.blocks().0), (1, 10_000));
    }
}
