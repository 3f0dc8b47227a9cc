//! The confirmed history of a script: every transaction filed under its
//! prefix is read, and entered if it really concerns the script.

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
/// Fewer transactions than this are not worth another thread.
const STRETCH_MIN: usize = 32;

/// Brings `summary` up to the view's tip. What was read before a limit was met is kept, so that
/// asking again goes on there.
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
    let allowed = (limit.postings as usize).saturating_sub(summary.entries.len());
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
    /// Reads all these transactions and enters what they do. Several threads read, each a stretch
    /// of its own; what they found is entered in chain order before more is read.
    fn read(&mut self, threads: &mut HelperThreads<'_>, txnums: &[TxNum]) -> Answer<()> {
        let mut left = txnums;
        let mut slow = true;
        while !left.is_empty() {
            let per = left.len().div_ceil(threads.count()).clamp(STRETCH_MIN, STRETCH_MAX);
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
                    // there is a gap before what the other threads have read
                    break;
                }
            }
            slow = search.slow.into_inner();
            if !left.is_empty() {
                self.limit.check_time()?;
            }
        }
        Ok(())
    }

    /// Enters the transactions that fund or spend the script, and gives the error that ended the
    /// stretch. In txnum order every output is seen before what spends it, so a spend is known by
    /// the output in the history so far.
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
