//! Inner nodes of the Merkle tree over all header hashes, so that a `cp_height` proof costs a
//! handful of hashes at any chain length (protocol basics, "Header proof").

use crate::hash::{merkle_branch, merkle_lift, merkle_node, merkle_root};
use crate::ids::Height;

/// Headers under the lowest cached node, as a power of two.
const GROUP_LEVEL: u32 = 8;
/// Headers under the lowest cached node.
pub const GROUP_HEADERS: u32 = 1 << GROUP_LEVEL;

/// The cached nodes. `levels[0]` has one for each full group of 256 headers, each further level one
/// for each pair of the level below. Together that is 64 bytes per 256 headers, 0.25 MB at a
/// million blocks.
#[derive(Clone, Debug, Default)]
pub struct HeaderTree {
    levels: Vec<Vec<[u8; 32]>>,
}

impl HeaderTree {
    /// Number of headers under complete groups.
    pub fn headers(&self) -> u32 {
        self.levels.first().map_or(0, |groups| groups.len() as u32) * GROUP_HEADERS
    }

    /// Adds the next full group of 256 header hashes.
    pub fn push_group(&mut self, hashes: Vec<[u8; 32]>) {
        assert_eq!(hashes.len(), GROUP_HEADERS as usize, "a full group");
        let mut node = merkle_root(hashes).unwrap_or_default();
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(node);
            if !nodes.len().is_multiple_of(2) {
                return;
            }
            node = merkle_node(&nodes[nodes.len() - 2], &nodes[nodes.len() - 1]);
        }
    }

    /// Forgets every node that covers a header at height `headers` or above.
    pub fn truncate(&mut self, headers: u32) {
        let mut keep = (headers / GROUP_HEADERS) as usize;
        for nodes in &mut self.levels {
            nodes.truncate(keep);
            keep /= 2;
        }
        self.levels.retain(|nodes| !nodes.is_empty());
    }

    /// Branch and root for `height` among headers 0..=`cp`. `hashes` gives the hashes of a range of
    /// heights; it is called for at most two ranges, of up to 256 heights each. Complete groups up
    /// to `cp` must have been pushed.
    pub fn proof<E>(
        &self,
        height: Height,
        cp: Height,
        mut hashes: impl FnMut(u32, u32) -> Result<Vec<[u8; 32]>, E>,
    ) -> Result<(Vec<[u8; 32]>, [u8; 32]), E> {
        let count = cp.0 + 1;
        let group = height.0 / GROUP_HEADERS;
        let start = group * GROUP_HEADERS;
        let end = count.min(start + GROUP_HEADERS);
        let own = hashes(start, end)?;
        if count <= GROUP_HEADERS {
            let root = merkle_root(own.clone()).unwrap_or_default();
            return Ok((merkle_branch(own, height.0 as usize), root));
        }
        let (mut branch, _) = merkle_lift(own, (height.0 - start) as usize, GROUP_LEVEL);
        // the rightmost node of the present level, if it covers fewer headers than a full node does
        let full = count / GROUP_HEADERS;
        let mut edge = match count % GROUP_HEADERS {
            0 => None,
            rest => {
                let tail = hashes(full * GROUP_HEADERS, full * GROUP_HEADERS + rest)?;
                Some(merkle_lift(tail, 0, GROUP_LEVEL).1)
            }
        };
        let (mut width, mut pos, mut complete) = (count.div_ceil(GROUP_HEADERS), group, full);
        let mut level = 0usize;
        while width > 1 {
            let node = |at: u32| -> [u8; 32] {
                let cached = || self.levels.get(level).and_then(|l| l.get(at as usize)).copied();
                if at < complete { cached().unwrap_or_default() } else { edge.unwrap_or_default() }
            };
            let sibling = if pos ^ 1 < width { pos ^ 1 } else { pos };
            branch.push(node(sibling));
            let last = width - 1;
            // the parent of the last pair is incomplete if either child is, or if it has one child
            let incomplete = last >= complete || width % 2 == 1;
            edge = incomplete.then(|| {
                let left = last & !1;
                merkle_node(&node(left), &node(left.max(last)))
            });
            width = width.div_ceil(2);
            complete = if incomplete { width - 1 } else { width };
            pos /= 2;
            level += 1;
        }
        let top = self.levels.get(level).and_then(|nodes| nodes.first()).copied();
        let root = if complete == 0 { edge } else { top };
        Ok((branch, root.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hash::{fold_branch, sha256};

    #[test]
    fn equals_the_plain_tree_at_every_size() {
        let leaves: Vec<[u8; 32]> = (0..2600u32).map(|n| sha256(&n.to_le_bytes())).collect();
        let mut tree = HeaderTree::default();
        for group in leaves.chunks_exact(GROUP_HEADERS as usize) {
            tree.push_group(group.to_vec());
        }
        let sizes = (1..40).chain(250..270).chain(505..520).chain((600..2600).step_by(83));
        for count in sizes.chain([768, 1024, 1025, 1280, 2048, 2560, 2600]) {
            let plain = merkle_root(leaves[..count as usize].to_vec()).unwrap();
            for height in [0, 1, 255, 256, 300, 511, 512, 1023, count / 2, count - 1] {
                if height >= count {
                    continue;
                }
                let hashes = |a: u32, b: u32| -> Result<Vec<[u8; 32]>, ()> {
                    assert!(b - a <= GROUP_HEADERS);
                    Ok(leaves[a as usize..b as usize].to_vec())
                };
                let (branch, root) = tree.proof(Height(height), Height(count - 1), hashes).unwrap();
                assert_eq!(root, plain, "{count} headers");
                let expected = merkle_branch(leaves[..count as usize].to_vec(), height as usize);
                assert_eq!(branch, expected, "{height} of {count}");
                assert_eq!(fold_branch(leaves[height as usize], &branch, height), root);
            }
        }
        tree.truncate(700);
        assert_eq!(tree.headers(), 512);
        tree.push_group(leaves[512..768].to_vec());
        let hashes =
            |a: u32, b: u32| -> Result<_, ()> { Ok(leaves[a as usize..b as usize].to_vec()) };
        let (_, root) = tree.proof(Height(3), Height(799), hashes).unwrap();
        assert_eq!(root, merkle_root(leaves[..800].to_vec()).unwrap());
    }
}
