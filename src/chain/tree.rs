//! All blocks found in the files, by hash, each with its parent and the places where it stands.

use hashbrown::HashTable;

use crate::blockfile::dir::FilePos;
use crate::ids::HeaderBytes;
use crate::parse::tx::header;

/// Number of a block in a [`BlockTree`], in order of discovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(u32);

/// One block known by its header, or only as the parent of another.
#[derive(Clone, Debug)]
struct Node {
    hash: [u8; 32],
    parent: Option<BlockId>,
    bits: u32,
    /// The first place where it was found; `None` while only its children were.
    pos: Option<FilePos>,
    /// Blocks found on top of it: none, one, or several.
    children: u8,
}

/// The tree; about 60 bytes per block and as much again for its growth.
#[derive(Debug, Default)]
pub struct BlockTree {
    nodes: Vec<Node>,
    by_hash: HashTable<u32>,
    /// Further places of blocks that were found more than once.
    copies: Vec<(BlockId, FilePos)>,
}

/// Block hashes are as good as random at their internal beginning.
fn table_hash(hash: &[u8; 32]) -> u64 {
    hash.first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight))
}

impl BlockTree {
    /// Adds a block found at `pos` (offset of its header).
    pub fn add(&mut self, bytes: &HeaderBytes, pos: FilePos) -> BlockId {
        let id = self.intern(&header::hash(bytes));
        let parent = self.intern(&header::previous(bytes));
        let node = &mut self.nodes[id.0 as usize];
        if node.pos.is_none() {
            node.pos = Some(pos);
            node.bits = header::bits(bytes);
            node.parent = Some(parent);
            let above = &mut self.nodes[parent.0 as usize].children;
            *above = above.saturating_add(1);
        } else if node.pos != Some(pos) && !self.copies.contains(&(id, pos)) {
            self.copies.push((id, pos));
        }
        id
    }

    /// The block of that hash, if it was found in a file.
    pub fn find(&self, hash: &[u8; 32]) -> Option<BlockId> {
        let nodes = &self.nodes;
        let found =
            self.by_hash.find(table_hash(hash), |i| nodes[*i as usize].hash == *hash).copied()?;
        nodes[found as usize].pos.map(|_| BlockId(found))
    }

    /// Hash of a block, internal byte order.
    pub fn hash(&self, id: BlockId) -> &[u8; 32] {
        &self.nodes[id.0 as usize].hash
    }

    /// The block before, if it was found too.
    pub fn parent(&self, id: BlockId) -> Option<BlockId> {
        let parent = self.nodes[id.0 as usize].parent?;
        self.nodes[parent.0 as usize].pos.map(|_| parent)
    }

    /// Whether another block was found on the same parent.
    pub fn has_sibling(&self, id: BlockId) -> bool {
        let parent = self.nodes[id.0 as usize].parent;
        parent.is_some_and(|parent| self.nodes[parent.0 as usize].children > 1)
    }

    /// Every place where a block was found, in order of discovery.
    pub fn positions(&self, id: BlockId) -> impl Iterator<Item = FilePos> {
        let copies = self.copies.iter().filter(move |(copy, _)| *copy == id);
        self.nodes[id.0 as usize].pos.into_iter().chain(copies.map(|(_, pos)| *pos))
    }

    /// How many blocks were found.
    pub fn len(&self) -> usize {
        self.nodes.iter().filter(|node| node.pos.is_some()).count()
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every block that hangs together with `genesis`, with the work from there to it, most work
    /// first; of equal ones the first found.
    pub fn by_work(&self, genesis: &[u8; 32]) -> Vec<(u128, BlockId)> {
        let Some(root) = self.find(genesis) else {
            return Vec::new();
        };
        let mut work: Vec<Option<u128>> = vec![None; self.nodes.len()];
        let mut path = Vec::new();
        for start in 0..self.nodes.len() as u32 {
            let mut at = BlockId(start);
            while work[at.0 as usize].is_none() && at != root {
                path.push(at);
                match self.parent(at) {
                    // more steps than nodes: a circle, which hashes cannot make
                    Some(parent) if path.len() <= self.nodes.len() => at = parent,
                    _ => break,
                }
            }
            let mut sum = if at == root { Some(0) } else { work[at.0 as usize] };
            work[root.0 as usize] = Some(0);
            for id in path.drain(..).rev() {
                sum = sum
                    .map(|sum: u128| sum.saturating_add(work_of(self.nodes[id.0 as usize].bits)));
                work[id.0 as usize] = sum;
            }
        }
        let mut sorted: Vec<(u128, BlockId)> = (0u32..)
            .map(BlockId)
            .zip(&work)
            .filter_map(|(id, work)| Some(((*work)?, id)))
            .collect();
        sorted.sort_by_key(|(work, id)| (std::cmp::Reverse(*work), *id));
        sorted
    }

    /// The blocks from `genesis` to `tip`; `None` if they do not hang together.
    pub fn path(&self, genesis: &[u8; 32], tip: BlockId) -> Option<Vec<BlockId>> {
        let mut path = vec![tip];
        let mut at = tip;
        while self.hash(at) != genesis {
            at = self.parent(at)?;
            path.push(at);
        }
        path.reverse();
        Some(path)
    }

    fn intern(&mut self, hash: &[u8; 32]) -> BlockId {
        let nodes = &self.nodes;
        let slot = self.by_hash.entry(
            table_hash(hash),
            |i| nodes[*i as usize].hash == *hash,
            |i| table_hash(&nodes[*i as usize].hash),
        );
        let next = nodes.len() as u32;
        let id = *slot.or_insert(next).get();
        if id == next {
            self.nodes.push(Node { hash: *hash, parent: None, bits: 0, pos: None, children: 0 });
        }
        BlockId(id)
    }
}

/// Expected number of hashes for a compact target: 2^256 / (target + 1), Core chain.cpp
/// GetBlockProof, in 128 bits (mainnet's sum stays below 2^100); 0 for a target that makes no
/// sense.
fn work_of(bits: u32) -> u128 {
    let exponent = bits >> 24;
    let mantissa = u128::from(bits & 0x007f_ffff);
    if mantissa == 0 || bits & 0x0080_0000 != 0 || exponent > 34 {
        return 0;
    }
    // target = mantissa * 2^shift, so work is about 2^(256 - shift) / mantissa
    let shift = 8 * (exponent as i32 - 3);
    let power = 256 - shift;
    match power {
        ..=0 => 0,
        1..=127 => (1u128 << power) / (mantissa + u128::from(shift <= 0)),
        // targets below 2^129: no real one is, but sort them as much work
        _ => u128::MAX / mantissa / 2,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::blockfile::dir::FileNum;

    fn headers(parent: [u8; 32], salts: &[u8]) -> Vec<HeaderBytes> {
        let mut parent = parent;
        let make = |salt: &u8| {
            let mut bytes = [0u8; 80];
            bytes[4..36].copy_from_slice(&parent);
            bytes[72..76].copy_from_slice(&0x207f_ffffu32.to_le_bytes());
            bytes[76] = *salt;
            parent = header::hash(&bytes);
            bytes
        };
        salts.iter().map(make).collect()
    }

    #[test]
    fn finds_the_most_work_in_any_order_of_discovery() {
        let main = headers([0; 32], &[0, 1, 2, 3, 4]);
        let side = headers(header::hash(&main[1]), &[12, 13]);
        let lost = headers([9; 32], &[20, 21, 22, 23, 24, 25, 26]);
        let mut tree = BlockTree::default();
        let all: Vec<_> = lost.iter().chain(&side).chain(main.iter().rev()).collect();
        for (i, bytes) in all.iter().enumerate() {
            tree.add(bytes, FilePos { file: FileNum(0), offset: i as u32 });
        }
        let genesis = header::hash(&main[0]);
        let sorted = tree.by_work(&genesis);
        assert_eq!(sorted.len(), 7, "the lost branch does not hang together with genesis");
        let tip = sorted[0].1;
        assert_eq!(*tree.hash(tip), header::hash(&main[4]));
        let path = tree.path(&genesis, tip).unwrap();
        assert_eq!(path.len(), 5);
        assert_eq!(sorted[0].0, 8, "four blocks of two hashes each");
        let again = tree.add(&main[4], FilePos { file: FileNum(7), offset: 7 });
        assert_eq!(tree.positions(again).count(), 2);
        assert_eq!(tree.len(), 14);
    }

    #[test]
    fn work_grows_as_targets_shrink() {
        assert_eq!(work_of(0x1d00_ffff), 0x1_0001_0001);
        assert!(work_of(0x1702_0000) > work_of(0x1703_0000));
        assert_eq!(work_of(0), 0);
    }
}
