//! The blocks of a tree by the work behind them, without a sorted list of them all.

use std::collections::{BinaryHeap, VecDeque};

use crate::ids::BlockHash;

use super::tree::{BlockId, BlockTree};

/// Blocks selected in one pass over the tree.
const AT_ONCE: usize = 1 << 12;
/// Stand for blocks not yet looked at, and for those that do not hang together with genesis.
const UNKNOWN: u128 = u128::MAX;
const LOOSE: u128 = u128::MAX - 1;

/// Work and block, most work first; of equal ones the first found. Takes 16 bytes a block.
#[derive(Debug)]
pub struct ByWork {
    work: Vec<u128>,
    next: VecDeque<(u128, BlockId)>,
}

/// Orders by what comes first: the block with less work, or found later, is the greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Later(std::cmp::Reverse<u128>, BlockId);

impl ByWork {
    /// Sorts every block of `tree` that hangs together with `genesis` by the work from there to it.
    pub fn over(tree: &BlockTree, genesis: &BlockHash) -> ByWork {
        let mut work = vec![UNKNOWN; tree.known() as usize];
        let mut path = Vec::new();
        if let Some(root) = tree.find(genesis) {
            work[root.0 as usize] = 0;
        }
        for start in 0..tree.known() {
            let mut at = BlockId(start);
            let sum = loop {
                match work[at.0 as usize] {
                    UNKNOWN => path.push(at),
                    sum => break sum,
                }
                match tree.parent(at) {
                    // more steps than blocks: a circle, which hashes cannot make
                    Some(parent) if path.len() <= work.len() => at = parent,
                    _ => break LOOSE,
                }
            };
            let mut sum = sum;
            for id in path.drain(..).rev() {
                if sum != LOOSE {
                    sum = sum.saturating_add(work_of(tree.bits(id))).min(LOOSE - 1);
                }
                work[id.0 as usize] = sum;
            }
        }
        let mut sorted = ByWork { work, next: VecDeque::new() };
        sorted.select_next(None);
        sorted
    }

    /// Selects the blocks that follow `last`, most work first.
    fn select_next(&mut self, last: Option<Later>) {
        let mut best: BinaryHeap<Later> = BinaryHeap::with_capacity(AT_ONCE + 1);
        let blocks = (0u32..).map(BlockId).zip(&self.work).filter(|(_, work)| **work < LOOSE);
        for (id, work) in blocks {
            let block = Later(std::cmp::Reverse(*work), id);
            let early = best.len() < AT_ONCE || best.peek().is_some_and(|worst| block < *worst);
            if early && last.is_none_or(|last| last < block) {
                best.push(block);
                if best.len() > AT_ONCE {
                    best.pop();
                }
            }
        }
        let sorted = best.into_sorted_vec().into_iter();
        self.next = sorted.map(|Later(work, id)| (work.0, id)).collect();
    }
}

impl Iterator for ByWork {
    type Item = (u128, BlockId);

    fn next(&mut self) -> Option<Self::Item> {
        let (work, id) = self.next.pop_front()?;
        if self.next.is_empty() {
            self.select_next(Some(Later(std::cmp::Reverse(work), id)));
        }
        Some((work, id))
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
    use bitcoin::hashes::Hash;

    use super::*;
    use crate::blockfile::dir::{FileNum, FilePos};
    use crate::chain::key::BlockKey;
    use crate::ids::HeaderBytes;
    use crate::parse::tx::header;

    #[test]
    fn work_grows_as_targets_shrink() {
        assert_eq!(work_of(0x1d00_ffff), 0x1_0001_0001);
        assert!(work_of(0x1702_0000) > work_of(0x1703_0000));
        assert_eq!(work_of(0), 0);
    }

    fn headers(parent: BlockHash, salts: &[u8]) -> Vec<HeaderBytes> {
        let mut parent = parent;
        let make = |salt: &u8| {
            let mut bytes = [0u8; 80];
            bytes[4..36].copy_from_slice(parent.as_byte_array());
            bytes[72..76].copy_from_slice(&0x207f_ffffu32.to_le_bytes());
            bytes[76] = *salt;
            parent = header::hash(&bytes);
            bytes
        };
        salts.iter().map(make).collect()
    }

    #[test]
    fn finds_the_most_work_in_any_order_of_discovery() {
        let main = headers(BlockHash::all_zeros(), &[0, 1, 2, 3, 4]);
        let side = headers(header::hash(&main[1]), &[12, 13]);
        let lost = headers(BlockHash::from_byte_array([9; 32]), &[20, 21, 22, 23, 24, 25, 26]);
        let mut tree = BlockTree::default();
        let all: Vec<_> = lost.iter().chain(&side).chain(main.iter().rev()).collect();
        for (i, bytes) in all.iter().enumerate() {
            tree.add(bytes, FilePos { file: FileNum(0), offset: i as u32 });
        }
        let genesis = header::hash(&main[0]);
        let sorted: Vec<_> = ByWork::over(&tree, &genesis).collect();
        assert_eq!(sorted.len(), 7, "the lost branch does not hang together with genesis");
        let tip = sorted[0].1;
        assert_eq!(tree.key(tip), BlockKey::of_header(&main[4]));
        let path = tree.path(&genesis, tip).unwrap();
        assert_eq!(path.len(), 5);
        assert_eq!(sorted[0].0, 8, "four blocks of two hashes each");
        let again = tree.add(&main[4], FilePos { file: FileNum(7), offset: 7 });
        assert_eq!(tree.copies(again).all().count(), 2);
        assert_eq!(tree.len(), 14);
    }

    #[test]
    fn more_blocks_than_are_selected_at_once_come_in_order() {
        let mut tree = BlockTree::default();
        let mut bytes = [0u8; 80];
        bytes[72..76].copy_from_slice(&0x207f_ffffu32.to_le_bytes());
        let genesis = header::hash(&bytes);
        let count = 2 * AT_ONCE as u32 + 5;
        for n in 0..count {
            tree.add(&bytes, FilePos { file: FileNum(0), offset: n });
            let parent = header::hash(&bytes);
            bytes[4..36].copy_from_slice(parent.as_byte_array());
        }
        let heights: Vec<u128> = ByWork::over(&tree, &genesis).map(|(work, _)| work / 2).collect();
        let expected: Vec<u128> = (0..u128::from(count)).rev().collect();
        assert_eq!(heights, expected);
        assert_eq!(ByWork::over(&tree, &BlockHash::from_byte_array([7; 32])).count(), 0);
    }
}
