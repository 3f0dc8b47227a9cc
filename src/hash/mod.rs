//! The one door to SHA-256: single and double hashes, txids and Merkle nodes.

mod lanes;
pub mod many;
mod sha;

use self::many::{Hashing, Many};

pub use self::sha::{Sha256Stream, hash160, sha256, sha256d};

/// An inner node of Bitcoin's Merkle trees.
pub fn merkle_node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256d(&[left, right])
}

/// Replaces a level of a Merkle tree by the one above it; an odd last node is paired with itself.
pub fn merkle_level_up(level: &mut Vec<[u8; 32]>) {
    let above = level.len().div_ceil(2);
    let mut nodes = Many::new(Hashing::Double);
    for i in 0..above {
        let left = level[2 * i];
        let right = *level.get(2 * i + 1).unwrap_or(&left);
        // a node takes the place of one that was read already
        nodes.push(&[&left, &right], |i, node| level[i] = *node);
    }
    nodes.finish(|i, node| level[i] = *node);
    level.truncate(above);
}

/// The root over `leaves`; `None` of none.
pub fn merkle_root(mut leaves: Vec<[u8; 32]>) -> Option<[u8; 32]> {
    while leaves.len() > 1 {
        merkle_level_up(&mut leaves);
    }
    leaves.pop()
}

/// The siblings of leaf `pos` from the leaves to the root.
pub fn merkle_branch(mut level: Vec<[u8; 32]>, mut pos: usize) -> Vec<[u8; 32]> {
    let mut branch = Vec::new();
    while level.len() > 1 {
        let own = level.get(pos).copied().unwrap_or_default();
        branch.push(*level.get(pos ^ 1).unwrap_or(&own));
        merkle_level_up(&mut level);
        pos /= 2;
    }
    branch
}

/// The branch of one leaf under a node `levels` above the leaves, and the node; a group of fewer
/// than 2^levels leaves is filled up by the odd-node rule, as the last one of a larger tree is.
pub fn merkle_lift(
    mut level: Vec<[u8; 32]>,
    mut pos: usize,
    levels: u32,
) -> (Vec<[u8; 32]>, [u8; 32]) {
    let mut branch = Vec::with_capacity(levels as usize);
    for _ in 0..levels {
        let own = level.get(pos).copied().unwrap_or_default();
        branch.push(*level.get(pos ^ 1).unwrap_or(&own));
        if level.len() == 1 {
            level[0] = merkle_node(&level[0], &level[0]);
        } else {
            merkle_level_up(&mut level);
        }
        pos /= 2;
    }
    (branch, level.first().copied().unwrap_or_default())
}

/// The root that a leaf and its branch lead to.
pub fn fold_branch(leaf: [u8; 32], branch: &[[u8; 32]], mut pos: u32) -> [u8; 32] {
    let mut node = leaf;
    for sibling in branch {
        node = if pos & 1 == 1 { merkle_node(sibling, &node) } else { merkle_node(&node, sibling) };
        pos >>= 1;
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_branch_leads_to_the_root() {
        for count in 1..40usize {
            let leaves: Vec<[u8; 32]> = (0..count).map(|i| sha256(&[i as u8])).collect();
            let root = merkle_root(leaves.clone());
            for pos in 0..count {
                let branch = merkle_branch(leaves.clone(), pos);
                assert_eq!(Some(fold_branch(leaves[pos], &branch, pos as u32)), root);
            }
        }
        assert_eq!(merkle_root(vec![]), None);
    }
}
