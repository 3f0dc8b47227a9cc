//! Which blocks a node would connect, and when, given the order in which it receives them.

use std::collections::HashMap;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;

use crate::rng::Rng;

/// Follows the chain with the most work, as bitcoind does; here that is the greatest height, and of
/// equal ones the first to arrive. Undo data is written when a block is first connected, so this
/// gives the order of the undo records.
#[derive(Default)]
pub struct Arrivals {
    /// The parent and height of each block that is connected to genesis by blocks that have
    /// arrived.
    rooted: HashMap<BlockHash, (BlockHash, u32)>,
    /// Blocks whose parent has not arrived, by that parent.
    orphans: HashMap<BlockHash, Vec<BlockHash>>,
    connected: HashMap<BlockHash, ()>,
    best: u32,
}

impl Arrivals {
    /// A block arrives; returns all blocks that get connected for the first time, in order.
    pub fn add(&mut self, hash: BlockHash, prev: BlockHash) -> Vec<BlockHash> {
        let height = match self.rooted.get(&prev) {
            Some((_, height)) => height + 1,
            None if prev == BlockHash::all_zeros() => 0,
            None => {
                self.orphans.entry(prev).or_default().push(hash);
                return Vec::new();
            }
        };
        let (mut best, mut work) = (None, vec![(hash, prev, height)]);
        while let Some((hash, prev, height)) = work.pop() {
            self.rooted.insert(hash, (prev, height));
            if self.connected.is_empty() && best.is_none() || height > self.best {
                (best, self.best) = (Some(hash), height);
            }
            let children = self.orphans.remove(&hash).unwrap_or_default();
            work.extend(children.into_iter().rev().map(|child| (child, hash, height + 1)));
        }
        best.map(|tip| self.connect(tip)).unwrap_or_default()
    }

    fn connect(&mut self, tip: BlockHash) -> Vec<BlockHash> {
        let (mut path, mut at) = (Vec::new(), tip);
        while let Some((prev, _)) = self.rooted.get(&at) {
            if self.connected.insert(at, ()).is_some() {
                break; // a block connected before keeps its undo data
            }
            path.push(at);
            at = *prev;
        }
        path.reverse();
        path
    }
}

/// Shuffles so that each item moves by at most `window` places, like blocks that several peers send
/// at once. The first item stays.
pub fn shuffle_window<T>(items: &mut [T], window: usize, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut start = 1;
    while start < items.len() {
        let end = (start + window.max(1)).min(items.len());
        for index in (start + 1..end).rev() {
            items.swap(index, start + rng.below((index - start + 1) as u64) as usize);
        }
        start = end;
    }
}
