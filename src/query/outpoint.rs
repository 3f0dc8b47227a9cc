//! Who funded an output and who spent it, found in the history of its script.

use bitcoin::Txid;
use bitcoin::hashes::Hash;

use crate::ids::{ScriptHash, TxNum};
use crate::mempool::pool::{MemTx, Mempool, OutRef, ScriptTag};
use crate::parse::tx::is_unspendable;
use crate::store::tables::RunKind;

use super::answers::{Answer, Confirmation, OutpointStatus, QueryError};
use super::history::Budget;
use super::tx::TxReader;
use super::view::View;

/// The confirmed side. Only transactions behind the funding one are read, up to the spender.
pub fn confirmed(view: &View<'_>, out: &OutRef, budget: &Budget) -> Answer<OutpointStatus> {
    let mut reader = TxReader::new(view);
    let Some((funder, place)) = reader.find(&out.0)?.last().copied() else {
        return Ok(OutpointStatus::default());
    };
    let script = match reader.tx(&place)?.0.outputs().nth(out.1 as usize) {
        Some(output) => output.script.to_vec(),
        None => return Ok(OutpointStatus::default()),
    };
    let funder_height = Some(Confirmation::Block(place.height));
    let mut status = OutpointStatus { funder: funder_height, spender: None, script: None };
    if is_unspendable(&script) {
        return Ok(status);
    }
    let prefix = ScriptHash::of(&script).prefix();
    status.script = Some(prefix);
    let limit = budget.postings as usize;
    let later = view.find(RunKind::Script, prefix, TxNum(funder.0 + 1), limit)?;
    for (i, txnum) in later.iter().enumerate() {
        budget.check_time()?;
        if i >= limit {
            return Err(QueryError::TooLong(format!(
                "history too large: the spender is not among the next {limit} transactions of \
                 the script"
            )));
        }
        let place = reader.place(*txnum)?;
        let (tx, spender) = reader.tx(&place)?;
        if tx.inputs().any(|input| (*input.txid, input.vout) == *out) {
            let spender = Txid::from_byte_array(spender);
            status.spender = Some((spender, Confirmation::Block(place.height)));
            break;
        }
    }
    Ok(status)
}

/// Adds what the mempool knows.
pub fn with_mempool(mut status: OutpointStatus, out: &OutRef, pool: &Mempool) -> OutpointStatus {
    let confirmation = |tx: &MemTx| match pool.is_chained(tx) {
        true => Confirmation::MempoolChained,
        false => Confirmation::Mempool,
    };
    if let (None, Some(output)) = (status.funder, pool.output(out)) {
        status.funder = pool.get(&out.0).map(confirmation);
        status.script = (output.script != ScriptTag::NOBODY).then(|| output.script.prefix());
    }
    if status.spender.is_none() && status.funder.is_some() {
        let spender = pool.spender(out);
        status.spender = spender.map(|tx| (Txid::from_byte_array(tx.txid), confirmation(tx)));
    }
    status
}
