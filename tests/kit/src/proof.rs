//! Bitcoin's Merkle trees, built whole.

use bitcoin::hashes::{Hash, sha256d};

/// The next level up; an odd last node is paired with itself.
fn level(nodes: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let pair = |two: &[[u8; 32]]| {
        let text = [two[0], two[two.len() - 1]].concat();
        sha256d::Hash::hash(&text).to_byte_array()
    };
    nodes.chunks(2).map(pair).collect()
}

/// The root over leaves (in hash byte order). Panics without leaves.
pub fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut nodes = leaves.to_vec();
    while nodes.len() > 1 {
        nodes = level(&nodes);
    }
    nodes[0]
}

/// The siblings on the path from leaf `index` to the root, from the bottom.
pub fn branch(leaves: &[[u8; 32]], mut index: usize) -> Vec<[u8; 32]> {
    let (mut nodes, mut out) = (leaves.to_vec(), Vec::new());
    while nodes.len() > 1 {
        out.push(*nodes.get(index ^ 1).unwrap_or(&nodes[index]));
        nodes = level(&nodes);
        index /= 2;
    }
    out
}

/// The root that results from a leaf and its branch.
pub fn climb(leaf: [u8; 32], branch: &[[u8; 32]], mut index: usize) -> [u8; 32] {
    branch.iter().fold(leaf, |node, sibling| {
        let text =
            if index.is_multiple_of(2) { [node, *sibling] } else { [*sibling, node] }.concat();
        index /= 2;
        sha256d::Hash::hash(&text).to_byte_array()
    })
}

/// Hex in display order, which is reversed.
pub fn display(hash: &[u8; 32]) -> String {
    hash.iter().rev().map(|byte| format!("{byte:02x}")).collect()
}
