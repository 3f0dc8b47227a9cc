//! All blocks found in the files, by hash, each with its parent and the places where it stands.

use std::collections::BTreeSet;

use hashbrown::HashTable;

use crate::blockfile::dir::{FileNum, FilePos};
use crate::ids::{BlockHash, HeaderBytes};
use crate::limits::BLOCK_BYTES_MIN;
use crate::parse::tx::header;

use super::key::{BlockKey, Copies};
use super::scan::FileScan;

/// Number of a block in a [`BlockTree`], in order of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub(super) u32);

/// One block known by its header, or only as the parent of another.
#[derive(Clone, Debug)]
struct Node {
    key: BlockKey,
    /// `NOT_FOUND` while only its children were.
    parent: u32,
    bits: u32,
    /// The first place where it was found.
    file: u32,
    offset: u32,
    /// Blocks found on top of it: none, one, or several.
    children: u8,
}

/// Stands for the parent of a block that was not found itself.
const NOT_FOUND: u32 = u32::MAX;

/// Blocks for which a large tree has room from the beginning.
const ROOM_BLOCKS: usize = 1 << 20;

/// The tree: 36 bytes a block, and 5 to 16 of the table.
#[derive(Debug, Default)]
pub struct BlockTree {
    nodes: Vec<Node>,
    found: u32,
    by_key: HashTable<u32>,
    /// Further places of blocks that were found more than once.
    copies: BTreeSet<(BlockId, FilePos)>,
    /// What each file holds, from the first on, where all were looked through.
    pub files: Vec<FileScan>,
}

impl BlockTree {
    /// A tree for the blocks of files that have `bytes` bytes together. It reserves address space
    /// for a million blocks up front: the kernel backs pages only when they are written, the
    /// vector never moves, and its memory returns to the system when the tree is dropped.
    pub fn for_files(bytes: u64) -> BlockTree {
        let at_most = usize::try_from(bytes / u64::from(BLOCK_BYTES_MIN)).unwrap_or(ROOM_BLOCKS);
        BlockTree {
            nodes: Vec::with_capacity(ROOM_BLOCKS),
            by_key: HashTable::with_capacity(at_most.min(ROOM_BLOCKS)),
            ..BlockTree::default()
        }
    }

    /// Adds a block found at `pos` (offset of its header).
    pub fn add(&mut self, bytes: &HeaderBytes, pos: FilePos) -> BlockId {
        let id = self.intern(BlockKey::of_header(bytes));
        let parent = self.intern(BlockKey::of(&header::previous(bytes)));
        let node = self.node_mut(id);
        if node.parent == NOT_FOUND {
            (node.file, node.offset) = (pos.file.0, pos.offset);
            node.bits = header::bits(bytes);
            node.parent = parent.0;
            let above = self.node_mut(parent);
            above.children = above.children.saturating_add(1);
            self.found += 1;
        } else if (node.file, node.offset) != (pos.file.0, pos.offset) {
            self.copies.insert((id, pos));
        }
        id
    }

    /// The block of that hash, if it was found in a file.
    pub fn find(&self, hash: &BlockHash) -> Option<BlockId> {
        let key = BlockKey::of(hash);
        let same = |at: &u32| self.nodes[*at as usize].key == key;
        let found = self.by_key.find(key.table_hash(), same).copied()?;
        Some(BlockId(found)).filter(|id| self.is_found(*id))
    }

    /// What a block is known by.
    pub fn key(&self, id: BlockId) -> BlockKey {
        self.node(id).key
    }

    /// The block before, if it was found too.
    pub fn parent(&self, id: BlockId) -> Option<BlockId> {
        let parent = self.node(id).parent;
        Some(BlockId(parent)).filter(|id| parent != NOT_FOUND && self.is_found(*id))
    }

    /// Which block it is and every place where it was found.
    pub fn copies(&self, id: BlockId) -> Copies {
        let node = self.node(id);
        Copies {
            key: node.key,
            contested: self.is_contested(id),
            first: self.first_place(id),
            others: self.copies_of(id).collect(),
        }
    }

    /// Where it was found first.
    pub fn first_place(&self, id: BlockId) -> FilePos {
        let node = self.node(id);
        FilePos { file: FileNum(node.file), offset: node.offset }
    }

    /// Where else it was found.
    pub fn copies_of(&self, id: BlockId) -> impl Iterator<Item = FilePos> {
        let least = FilePos { file: FileNum(0), offset: 0 };
        self.copies.range((id, least)..).take_while(move |(of, _)| *of == id).map(|(_, pos)| *pos)
    }

    /// Whether another block was found on the same parent.
    pub fn is_contested(&self, id: BlockId) -> bool {
        let parent = self.node(id).parent;
        parent != NOT_FOUND && self.node(BlockId(parent)).children > 1
    }

    /// How many blocks were found.
    pub fn len(&self) -> usize {
        self.found as usize
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.found == 0
    }

    /// The blocks from `genesis` to `tip`; `None` if they do not hang together.
    pub fn path(&self, genesis: &BlockHash, tip: BlockId) -> Option<Vec<BlockId>> {
        let (genesis, mut length, mut at) = (BlockKey::of(genesis), 1, tip);
        while self.key(at) != genesis {
            at = self.parent(at)?;
            length += 1;
        }
        let mut path = vec![tip; length];
        at = tip;
        for place in path.iter_mut().rev() {
            *place = at;
            at = self.parent(at).unwrap_or(at);
        }
        Some(path)
    }

    /// Forgets the table of hashes: nothing can be found or added any more, only followed.
    pub fn without_table(mut self) -> BlockTree {
        self.by_key = HashTable::new();
        self
    }

    /// Bytes that a tree of so many blocks takes at most, the growth of its table included.
    pub const fn bytes_of(blocks: u64) -> u64 {
        // a table of 2^n places of five bytes, up to 7/8 of them taken; while it grows, the one of
        // half the size is there too
        let places = (blocks * 8 / 7 + 1).next_power_of_two();
        blocks * size_of::<Node>() as u64 + places * 5 + places * 5 / 2
    }

    /// Bytes that it holds now.
    pub fn bytes(&self) -> u64 {
        let table = self.by_key.allocation_size();
        (self.nodes.len() * size_of::<Node>() + table + self.copies.len() * 18) as u64
    }

    /// Blocks known, if only as the parent of another.
    pub(super) fn known(&self) -> u32 {
        self.nodes.len() as u32
    }

    pub(super) fn is_found(&self, id: BlockId) -> bool {
        self.node(id).parent != NOT_FOUND
    }

    pub(super) fn bits(&self, id: BlockId) -> u32 {
        self.node(id).bits
    }

    fn node(&self, id: BlockId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: BlockId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }

    fn intern(&mut self, key: BlockKey) -> BlockId {
        let nodes = &self.nodes;
        let slot = self.by_key.entry(
            key.table_hash(),
            |at| nodes[*at as usize].key == key,
            |at| nodes[*at as usize].key.table_hash(),
        );
        let next = nodes.len() as u32;
        let id = *slot.or_insert(next).get();
        if id == next {
            let node = Node { key, parent: NOT_FOUND, bits: 0, file: 0, offset: 0, children: 0 };
            self.nodes.push(node);
        }
        BlockId(id)
    }
}

#[cfg(test)]
mod tests {
    use bitcoin::hashes::Hash;

    use super::*;
    use crate::blockfile::dir::FileNum;

    #[test]
    fn a_million_blocks_take_what_is_set_aside_for_them() {
        let mut tree = BlockTree::for_files(200 << 20);
        let mut bytes = [0u8; 80];
        let mut most = 0;
        for n in 0..1_000_000u32 {
            bytes[76..].copy_from_slice(&n.to_le_bytes());
            tree.add(&bytes, FilePos { file: FileNum(n / 1000), offset: n });
            let parent = header::hash(&bytes);
            bytes[4..36].copy_from_slice(parent.as_byte_array());
            most = most.max(tree.bytes());
        }
        assert_eq!(tree.len(), 1_000_000);
        assert!(most < BlockTree::bytes_of(1_000_000), "{most}");
        assert!(BlockTree::bytes_of(1_000_000) < 52 << 20, "see docs/ARCHITECTURE.md, Memory");
    }
}
