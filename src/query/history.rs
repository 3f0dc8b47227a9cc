//! The confirmed history of a script: every transaction filed under the script's prefix is read,
//! and entered if it pays to the script itself or spends from it.

use std::sync::atomic::AtomicBool;

use crate::ids::{OutPoint, ScriptHash, TxNum};
use crate::store::records::RunKind;

use super::answers::{Answer, QueryError};
use super::helper_threads::HelperThreads;
use super::search_limit::SearchLimit;
use super::stretch::{ReadTx, Search, Stretch};
use super::summary::{Entry, Summaries, Summary, Unspent};
use super::tx::TxPlace;
use super::view::View;

/// Most transactions that one thread reads before the next ones are handed out.
const STRETCH_MAX: usize = 1024;
/// The first stretches are shorter: where transactions have many inputs, longer ones would end
/// early, and what other threads have read behind them would be read again.
const STRETCH_FIRST: usize = 256;
/// Fewer transactions than this are not worth another thread.
const STRETCH_MIN: usize = 32;

/// Brings `summary` up to the view's tip. If a limit ends that early, the summary keeps what was
/// read, so that the next question goes on from there.
pub fn update(
    view: &View<'_>,
    script: &ScriptHash,
    summary: &mut Summary,
    limit: &SearchLimit,
    summaries: &Summaries,
) -> Answer<()> {
    if !summary.holds(&view.snap) {
        *summary = Summary::default();
    }
    if summary.through.0 == view.snap.table.txs() {
        return Ok(());
    }
    let allowed = (limit.max_transactions as usize).saturating_sub(summary.entries.len());
    let txnums = view.find(RunKind::Script, script.prefix(), summary.through, allowed)?;
    limit.check_count(summary.entries.len() + txnums.len())?;
    let making = summaries.make_room(txnums.len(), limit.deadline);
    let _making = making.ok_or(QueryError::Busy)?;
    let mut threads = HelperThreads::new(view, txnums.len() / STRETCH_MIN);
    summary.entries.reserve_exact(txnums.len());
    let mut search = HistorySearch { script, limit, summary };
    let outcome = search.read(&mut threads, &txnums);
    let HistorySearch { summary, .. } = search;
    summary.shrink();
    outcome?;
    summary.reached(&view.snap);
    Ok(())
}

/// The state of one search while a history is read.
struct HistorySearch<'a> {
    script: &'a ScriptHash,
    limit: &'a SearchLimit,
    /// What is known of the script so far.
    summary: &'a mut Summary,
}

impl HistorySearch<'_> {
    /// Reads all these transactions and enters them into the summary. Each thread reads one
    /// stretch; the stretches are entered in chain order, and then the next ones are handed out.
    fn read(&mut self, threads: &mut HelperThreads<'_>, txnums: &[TxNum]) -> Answer<()> {
        let mut left = txnums;
        let mut slow = true;
        let mut most = STRETCH_FIRST;
        while !left.is_empty() {
            let per = left.len().div_ceil(threads.count()).clamp(STRETCH_MIN, most);
            let mut next = most.saturating_mul(2).min(STRETCH_MAX);
            let known = self.summary.script.clone();
            let known = known.as_deref();
            let (script, limit) = (self.script, self.limit);
            let search = Search { script, known, limit, slow: AtomicBool::new(slow) };
            for stretch in threads.each(left, per, |view, part| search.read(view, part)) {
                let (read, whole) = (stretch.txs.len(), stretch.txs.len() == per);
                let error = self.enter(stretch);
                left = left.get(read..).unwrap_or_default();
                if let Some(error) = error {
                    return Err(error);
                }
                if !whole {
                    // this stretch ended early, so that the next one does not follow on it: read
                    // that again, and hand out no more at once than one stretch can hold
                    next = read.clamp(STRETCH_MIN, STRETCH_MAX);
                    break;
                }
            }
            (slow, most) = (search.slow.into_inner(), next);
            if !left.is_empty() {
                self.limit.check_time()?;
            }
        }
        Ok(())
    }

    /// Enters the transactions that pay to the script or spend from it, and returns the error that
    /// ended the stretch, if one did. Transactions come in chain order, so an output of the script
    /// is entered before the transaction that spends it, and that one is recognised by the output.
    fn enter(&mut self, stretch: Stretch) -> Option<QueryError> {
        let Stretch { txs, spends, pays, script, error } = stretch;
        let summary = &mut *self.summary;
        summary.script = summary.script.take().or(script);
        let (mut spends, mut pays) = (spends.iter(), pays.iter());
        for ReadTx { place, txid, spends: spent, pays: paid } in txs {
            let TxPlace { txnum, height, block, .. } = place;
            let mut touched = false;
            for out in spends.by_ref().take(spent) {
                touched |= summary.coins.remove(out).is_some();
            }
            for (vout, value) in pays.by_ref().take(paid) {
                // BIP 30: a second transaction of the same txid replaces the outputs of the first
                summary
                    .coins
                    .insert(OutPoint::new(txid, *vout), Unspent { txnum, height, value: *value });
                touched = true;
            }
            if touched {
                summary.push(Entry { txid, height });
            }
            summary.looked_at(txnum, height, block.tag);
        }
        error
    }
}
