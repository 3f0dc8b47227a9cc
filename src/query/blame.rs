//! Finds out why a block's bytes are not what was indexed: the block has moved, bitcoind's file is
//! damaged, or the index is.

use bitcoin::Block;
use bitcoin::consensus::deserialize;

use crate::blockfile::dir::Kind;
use crate::blockfile::record::head_at;
use crate::ids::Height;
use crate::limits::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN};
use crate::live::table::{BlockInfo, HeaderTag};

use super::answers::QueryError;
use super::view::View;

/// The error for bytes of a block that are not what was indexed; `why` says what did not fit. To
/// find the cause, the whole block is read: if all of it, witnesses included, is what its header
/// commits to, the file is right and the index must be wrong.
pub fn misread(view: &View<'_>, height: Height, why: &str) -> QueryError {
    let Some(block) = view.snap.table.get(height) else {
        return QueryError::Internal(format!("block {height} is not on the chain"));
    };
    match is_whole(view, block) {
        Err(error) => error,
        Ok(Found::Elsewhere) => view.wrong_position(height, "another record stands there"),
        Ok(Found::Damaged) => view.damaged_block(height, why),
        // of a block in memory nothing is stored in the index that could be wrong
        Ok(Found::Whole) if view.snap.recent_at(height).is_some() => QueryError::Internal(format!(
            "block {height} could not be read rightly just now; try again"
        )),
        Ok(Found::Whole) => view.lost(format_args!(
            "what is stored of block {height} ({why}, but the block in bitcoind's file is whole)"
        )),
    }
}

enum Found {
    /// Another record stands there, or none.
    Elsewhere,
    /// The block's header stands there, but not the transactions that it commits to.
    Damaged,
    /// All of the block stands there, as its header commits to it.
    Whole,
}

fn is_whole(view: &View<'_>, block: BlockInfo) -> Result<Found, QueryError> {
    let failed = |error| view.failed(error);
    let head = head_at(view.dir(), view.magic(), block.pos).map_err(failed)?;
    let Some(head) = head.filter(|head| HeaderTag::of(&head.header) == block.tag) else {
        return Ok(Found::Elsewhere);
    };
    if !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&head.len) {
        return Ok(Found::Damaged);
    }
    let mut bytes = vec![0; head.len as usize];
    if !view.dir().read_exact(Kind::Block, block.pos, &mut bytes).map_err(failed)? {
        return Ok(Found::Damaged);
    }
    Ok(match deserialize::<Block>(&bytes) {
        Ok(block) if block.check_merkle_root() && block.check_witness_commitment() => Found::Whole,
        _ => Found::Damaged,
    })
}
