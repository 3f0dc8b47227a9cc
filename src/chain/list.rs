//! Where blocks stand, without how they hang together: to find blocks again beside what is served.

use crate::blockfile::dir::FilePos;
use crate::ids::{BlockHash, HeaderBytes};

use super::key::{BlockKey, Copies};

/// Blocks by the first half of their key, sorted: 16 bytes each.
#[derive(Debug, Default)]
pub struct BlockList {
    found: Vec<(u64, FilePos)>,
}

impl BlockList {
    /// An empty list with room for so many blocks.
    pub fn with_capacity(blocks: usize) -> BlockList {
        BlockList { found: Vec::with_capacity(blocks) }
    }

    /// Adds a block found at `pos` (offset of its header).
    pub fn add(&mut self, bytes: &HeaderBytes, pos: FilePos) {
        self.found.push((BlockKey::of_header(bytes).table_hash(), pos));
    }

    /// Puts it in order, which [`BlockList::find`] relies on.
    pub fn sort(&mut self) {
        self.found.sort_unstable();
    }

    /// Where a block stands, in the order of the files. Nothing is known of its siblings.
    pub fn find(&self, hash: &BlockHash) -> Option<Copies> {
        let key = BlockKey::of(hash);
        let half = key.table_hash();
        let start = self.found.partition_point(|(other, _)| *other < half);
        let mut found = self.found[start..].iter().take_while(|(other, _)| *other == half);
        let (_, first) = *found.next()?;
        Some(Copies { key, contested: true, first, others: found.map(|(_, pos)| *pos).collect() })
    }

    /// Bytes that so many blocks take.
    pub const fn bytes_of(blocks: u64) -> u64 {
        blocks * size_of::<(u64, FilePos)>() as u64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::blockfile::dir::FileNum;
    use crate::parse::tx::header;

    #[test]
    fn every_copy_is_found_in_the_order_of_the_files() {
        let header_of = |n: u8| -> HeaderBytes { [n; 80] };
        let pos = |file, offset| FilePos { file: FileNum(file), offset };
        let mut list = BlockList::with_capacity(9);
        for n in 0..5u8 {
            list.add(&header_of(n), pos(2, u32::from(n)));
        }
        list.add(&header_of(3), pos(1, 77));
        list.sort();
        let copies = list.find(&header::hash(&header_of(3))).unwrap();
        assert_eq!(copies.all().collect::<Vec<_>>(), [pos(1, 77), pos(2, 3)]);
        assert!(copies.contested, "what is not known may be");
        assert_eq!(list.find(&header::hash(&header_of(9))), None);
        assert_eq!(BlockList::bytes_of(1_000_000), 16_000_000);
    }
}
