//! Taking blocks out of the database again: after a reorg deeper than what lives in memory.

use bitcoin::hashes::Hash;
use log::warn;

use crate::chain::fork::shared_blocks;
use crate::chain::key::BlockKey;
use crate::error::{Error, Result};
use crate::host::beat;
use crate::ids::{BlockCount, BlockHash, Height, TxNum};
use crate::limits::REORG_BLOCKS_MAX;
use crate::parse::tx::header;
use crate::store::items::stored_block;
use crate::store::open::Db;
use crate::store::records::State;

/// How many of the first `blocks` stored blocks are on the chain that `key_at` tells.
pub fn common_blocks(
    db: &Db,
    blocks: BlockCount,
    mut key_at: impl FnMut(Height) -> Result<BlockKey>,
) -> Result<BlockCount> {
    let shared = shared_blocks(blocks.0, |height| {
        let stored = stored_block(db, Height(height))?;
        Ok(BlockKey::of_header(&stored.header) == key_at(Height(height))?)
    })?;
    Ok(BlockCount(shared))
}

/// Takes out all blocks but the first `keep`, in one transaction.
pub fn roll_back(db: &Db, keep: BlockCount) -> Result<State> {
    let before = db.state()?;
    let gone = BlockCount(before.blocks).above(keep);
    if gone == 0 {
        return Ok(before);
    }
    warn!("taking {gone} blocks out of the index, down to {keep} blocks");
    let (txs, tip) = match keep.tip() {
        None => (0, BlockHash::all_zeros()),
        Some(last) => {
            let first_gone = stored_block(db, keep.next())?.first;
            let kept = stored_block(db, last)?.header;
            (first_gone.0, header::hash(&kept))
        }
    };
    let state = State { blocks: keep.0, txs, tip, generation: before.generation + 1, ..before };
    let change = db.change()?;
    // this takes longer the larger the runs are; it is rare, so its length has no deadline
    beat::waiting(|| change.cut_runs(TxNum(txs)))?;
    change.cut_rows(&state)?;
    change.set_state(&state)?;
    change.commit()?;
    Ok(state)
}

/// The error for a fork that is too deep for hekte to undo without being told to.
pub fn too_deep(depth: u32) -> Error {
    Error::Data(format!(
        "bitcoind's chain leaves ours {depth} blocks below our tip, deeper than any reorganisation \
         hekte undoes by itself ({REORG_BLOCKS_MAX}). If bitcoind is right, start hekte with \
         --rebuild"
    ))
}
