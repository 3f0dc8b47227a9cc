//! Taking blocks out of the database again: after a reorg deeper than what lives in memory.

use log::warn;

use crate::chain::fork::shared_blocks;
use crate::chain::key::BlockKey;
use crate::error::{Error, Result};
use crate::host::beat;
use crate::ids::{Height, TxNum};
use crate::limits::REORG_BLOCKS_MAX;
use crate::parse::tx::header;
use crate::store::items::stored_block;
use crate::store::open::Db;
use crate::store::tables::State;

/// How many of the first `blocks` stored blocks are on the chain that `key_at` tells.
pub fn common_blocks(
    db: &Db,
    blocks: u32,
    mut key_at: impl FnMut(Height) -> Result<BlockKey>,
) -> Result<u32> {
    shared_blocks(blocks, |height| {
        let stored = stored_block(db, Height(height))?;
        Ok(BlockKey::of_header(&stored.header) == key_at(Height(height))?)
    })
}

/// Takes out all blocks from number `keep` on, in one transaction.
pub fn roll_back(db: &Db, keep: u32) -> Result<State> {
    let before = db.state()?;
    if keep >= before.blocks {
        return Ok(before);
    }
    warn!("taking {} blocks out of the index, down to {keep} blocks", before.blocks - keep);
    let (txs, tip) = match keep.checked_sub(1) {
        None => (0, [0; 32]),
        Some(last) => {
            let first_gone = stored_block(db, Height(keep))?.first;
            let kept = stored_block(db, Height(last))?.header;
            (first_gone.0, header::hash(&kept))
        }
    };
    let state = State { blocks: keep, txs, tip, generation: before.generation + 1, ..before };
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
