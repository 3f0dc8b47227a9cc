//! Whether a block holds together: its transactions are those that its header commits to.

use bitcoin::hashes::Hash;

use crate::hash::many::{Hashing, Many};
use crate::hash::merkle_level_up;
use crate::ids::{HeaderBytes, Txid};

use super::bytes::ParseError;
use super::tx::{BlockView, header};

/// Why bytes are not a block that holds together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockFault {
    /// The bytes are not a block.
    #[error("the block cannot be parsed: {0}")]
    Parse(ParseError),
    /// The transactions are not those the header commits to.
    #[error("the transactions do not hash to the Merkle root in the header")]
    MerkleRoot,
    /// Two neighbours in the Merkle tree are equal: a mutated block with the root of a true one
    /// (CVE-2012-2459).
    #[error("the block repeats transactions to imitate another block's Merkle root")]
    Repeated,
}

/// Checks that a block's bytes hold together: they parse, and the Merkle root fits.
pub fn check_block(block: &[u8]) -> Result<(), BlockFault> {
    let mut view = BlockView::new(block).map_err(BlockFault::Parse)?;
    let mut txids = vec![Txid::all_zeros(); view.txs];
    let mut hashes = Many::new(Hashing::Double);
    for _ in 0..view.txs {
        let tx = view.next_tx().map_err(BlockFault::Parse)?;
        hashes.push(&tx.txid_parts(), |pos, txid| txids[pos] = Txid::from_byte_array(*txid));
    }
    hashes.finish(|pos, txid| txids[pos] = Txid::from_byte_array(*txid));
    check_merkle(view.header, &txids, |_, _| ())
}

/// Compares the Merkle root of `txids` with the one in the header. `visit` sees each level of the
/// tree with its height above the txids; the root is seen last.
pub fn check_merkle(
    header: &HeaderBytes,
    txids: &[Txid],
    mut visit: impl FnMut(u32, &[[u8; 32]]),
) -> Result<(), BlockFault> {
    let mut level: Vec<[u8; 32]> = txids.iter().map(|txid| txid.to_byte_array()).collect();
    for height in 0.. {
        visit(height, &level);
        if level.len() <= 1 {
            break;
        }
        if level.chunks_exact(2).any(|pair| pair[0] == pair[1]) {
            return Err(BlockFault::Repeated);
        }
        merkle_level_up(&mut level);
    }
    match level.first() == Some(&header::merkle_root(header)) {
        true => Ok(()),
        false => Err(BlockFault::MerkleRoot),
    }
}
