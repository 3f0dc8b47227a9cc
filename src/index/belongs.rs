//! Tells whether undo data belongs to a block or to a sibling of it.
//!
//! The checksum of an undo record covers the hash of the block before, not that of its own block.
//! So where two blocks have one parent, and transactions with equal numbers of inputs, the undo
//! record of either passes the check for both. What the inputs reveal (keys and scripts) tells the
//! records apart.

use bitcoin::consensus::deserialize;
use bitcoin::script::Instruction;
use bitcoin::{Block, Script, Transaction, TxIn};

use crate::hash::{hash160, sha256};
use crate::parse::compress;
use crate::parse::undo::Undo;

/// Whether the undo data may be that of this block. It is not if an input reveals another key or
/// script than the coin that it spends commits to, or if a transaction pays out more than it takes
/// in.
pub fn belongs(block: &[u8], undo: &[u8]) -> bool {
    let Ok(block) = deserialize::<Block>(block) else { return false };
    let Ok(mut undo) = Undo::new(undo) else { return false };
    block.txdata.iter().skip(1).all(|tx| pays_with(tx, &mut undo).unwrap_or(false))
}

/// Whether undo data holds exactly the outputs `spent`, in order. Each is its value in satoshi and
/// its script.
pub fn undo_matches(undo: &[u8], spent: &[(u64, Vec<u8>)]) -> bool {
    let same = || {
        let mut undo = Undo::new(undo).ok()?;
        let mut left = 0;
        for (value, script) in spent {
            while left == 0 {
                left = undo.coins().ok()?;
            }
            left -= 1;
            let coin = undo.coin().ok()?;
            let amount = compress::amount(coin.compressed_amount)?;
            if amount != *value || coin.script.as_bytes() != &script[..] {
                return Some(false);
            }
        }
        Some(undo.left() == 0)
    };
    same().unwrap_or(false)
}

fn pays_with(tx: &Transaction, undo: &mut Undo<'_>) -> Option<bool> {
    if undo.coins().ok()? != tx.input.len() {
        return Some(false);
    }
    let mut taken = 0u64;
    let mut fits = true;
    for input in &tx.input {
        let coin = undo.coin().ok()?;
        taken = taken.saturating_add(compress::amount(coin.compressed_amount)?);
        fits &= opens(input, Script::from_bytes(coin.script.as_bytes()));
    }
    let values = tx.output.iter().map(|output| output.value.to_sat());
    let paid = values.fold(0u64, u64::saturating_add);
    Some(fits && paid <= taken)
}

/// Whether the input may spend an output with that script. The key or script that the input reveals
/// must have the hash that the output's script names. Where the script names no hash, the input
/// passes, unless it has a witness and the output is of a kind that takes none.
fn opens(input: &TxIn, script: &Script) -> bool {
    let bytes = script.as_bytes();
    let last = || match input.script_sig.instructions().last() {
        Some(Ok(Instruction::PushBytes(bytes))) => Some(bytes.as_bytes()),
        _ => None,
    };
    let witness = input.witness.last();
    if script.is_p2pkh() {
        last().is_some_and(|key| bytes.get(3..23) == Some(&hash160(key)))
    } else if script.is_p2sh() {
        // a redeem script of one byte may be pushed by an opcode alone (OP_1 to OP_16): it is not
        // compared
        last().is_none_or(|redeem| bytes.get(2..22) == Some(&hash160(redeem)))
    } else if script.is_p2wpkh() {
        witness.is_some_and(|key| bytes.get(2..22) == Some(&hash160(key)))
    } else if script.is_p2wsh() {
        witness.is_some_and(|script| bytes.get(2..34) == Some(&sha256(script)))
    } else {
        script.is_witness_program() || witness.is_none()
    }
}
