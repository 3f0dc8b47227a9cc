//! Taking blocks out of the database again: after a reorg deeper than what lives in memory.

use log::warn;

use crate::error::Result;
use crate::ids::{Height, TxNum};
use crate::parse::tx::header;
use crate::store::items::stored_block;
use crate::store::open::Db;
use crate::store::tables::State;

/// How many of the first `blocks` stored blocks are on the chain that `hash_at` tells. Chains that
/// agree at a height agree below it, so this takes few questions however deep the fork.
pub fn common_blocks(
    db: &Db,
    blocks: u32,
    mut hash_at: impl FnMut(Height) -> Result<[u8; 32]>,
) -> Result<u32> {
    let mut agrees = |height: u32| -> Result<bool> {
        let (stored, _) = stored_block(db, Height(height))?;
        Ok(header::hash(&stored) == hash_at(Height(height))?)
    };
    if blocks == 0 || agrees(blocks - 1)? {
        return Ok(blocks);
    }
    // heights below `low` agree, height `high` does not
    let (mut low, mut high) = (0, blocks - 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if agrees(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
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
            let (_, first_gone) = stored_block(db, Height(keep))?;
            let (kept, _) = stored_block(db, Height(last))?;
            (first_gone.0, header::hash(&kept))
        }
    };
    let state = State { blocks: keep, txs, tip, generation: before.generation + 1, ..before };
    let change = db.change()?;
    change.cut_runs(TxNum(txs))?;
    change.cut_rows(&state)?;
    change.set_state(&state)?;
    change.commit()?;
    Ok(state)
}
