//! Which transaction funded an output and which one spent it, found in the history of its script.

use crate::ids::{OutPoint, ScriptHash, TxNum};
use crate::mempool::pool::{MemTx, Mempool};
use crate::mempool::script_tag::ScriptTag;
use crate::parse::tx::is_unspendable;
use crate::store::records::RunKind;

use super::answers::{Answer, Confirmation, OutpointStatus, QueryError};
use super::search_limit::SearchLimit;
use super::tx::TxReader;
use super::view::View;

/// What the chain holds of an output. Of the transactions filed under its script, only those after
/// the funding one are read, up to the one that spends it.
pub fn confirmed(view: &View<'_>, out: &OutPoint, limit: &SearchLimit) -> Answer<OutpointStatus> {
    let mut reader = TxReader::new(view);
    let Some((funder, place)) = reader.find(&out.txid)?.last().copied() else {
        return Ok(OutpointStatus::default());
    };
    let script = match reader.tx(&place)?.0.outputs().nth(out.vout as usize) {
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
    let max = limit.max_transactions as usize;
    let later = view.find(RunKind::Script, prefix, TxNum(funder.0 + 1), max)?;
    for (i, txnum) in later.iter().enumerate() {
        limit.check_time()?;
        if i >= max {
            return Err(QueryError::TooLong(format!(
                "history too large: the spender is not among the next {max} transactions of \
                 the script"
            )));
        }
        let place = reader.place(*txnum)?;
        let (tx, spender) = reader.tx(&place)?;
        if tx.inputs().any(|spent| spent == *out) {
            status.spender = Some((spender, Confirmation::Block(place.height)));
            break;
        }
    }
    Ok(status)
}

/// Adds the unconfirmed transactions that fund or spend the output.
pub fn with_mempool(mut status: OutpointStatus, out: &OutPoint, pool: &Mempool) -> OutpointStatus {
    let confirmation = |tx: &MemTx| match pool.is_chained(tx) {
        true => Confirmation::MempoolChained,
        false => Confirmation::Mempool,
    };
    if let (None, Some(output)) = (status.funder, pool.output(out)) {
        status.funder = pool.get(&out.txid).map(confirmation);
        status.script = (output.script != ScriptTag::NOBODY).then(|| output.script.prefix());
    }
    if status.spender.is_none() && status.funder.is_some() {
        let spender = pool.spender(out);
        status.spender = spender.map(|tx| (tx.txid, confirmation(tx)));
    }
    status
}
