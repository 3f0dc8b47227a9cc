//! The confirmed history of a script: every transaction filed under its prefix, read and judged.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::ids::{ScriptHash, TxNum};
use crate::store::tables::RunKind;

use super::answers::{Answer, QueryError};
use super::crew::Crew;
use super::stretch::{Search, Seen, Stretch};
use super::summary::{Entry, Summaries, Summary, Unspent};
use super::tx::TxPlace;
use super::view::View;

/// Most transactions that one thread reads before the next ones are handed out.
const STRETCH_MAX: usize = 1024;
/// Fewer are not worth another thread.
const STRETCH_MIN: usize = 32;

/// What one question may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Transactions in one history.
    pub postings: u32,
    /// When the answer must be there.
    pub deadline: Instant,
    /// The time that was given, for the message.
    pub seconds: u64,
}

impl Budget {
    /// An error once the time is over.
    pub fn check_time(&self) -> Answer<()> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        Err(QueryError::TooSlow(format!(
            "history too large: not read within {} seconds; ask again, or raise query_time on \
             the server",
            self.seconds
        )))
    }

    fn check_count(&self, count: usize) -> Answer<()> {
        if count <= self.postings as usize {
            return Ok(());
        }
        Err(QueryError::TooLong(format!(
            "history too large: more than the {} transactions this server answers; raise \
             max_history on the server",
            self.postings
        )))
    }
}

/// Brings `summary` up to the view's tip. What was read before a limit was met is kept, so that
/// asking again goes on there.
pub fn update(
    view: &View<'_>,
    script: &ScriptHash,
    summary: &mut Summary,
    budget: &Budget,
    summaries: &Summaries,
) -> Answer<()> {
    if !summary.holds(&view.snap) {
        *summary = Summary::default();
    }
    if summary.through.0 == view.snap.table.txs() {
        return Ok(());
    }
    let room = (budget.postings as usize).saturating_sub(summary.entries.len());
    let txnums = view.find(RunKind::Script, script.prefix(), summary.through, room)?;
    budget.check_count(summary.entries.len() + txnums.len())?;
    let room = summaries.make_room(txnums.len(), budget.deadline);
    let _making = room.ok_or(QueryError::Busy)?;
    let mut crew = Crew::new(view, txnums.len() / STRETCH_MIN);
    summary.entries.reserve_exact(txnums.len());
    let outcome = read(&mut crew, script, &txnums, summary, budget);
    summary.shrink();
    outcome?;
    summary.reached(&view.snap);
    Ok(())
}

/// Reads all these transactions and enters what they do. Several threads read, each a stretch of
/// its own; what they found is entered in chain order before more is read.
fn read(
    crew: &mut Crew<'_>,
    script: &ScriptHash,
    txnums: &[TxNum],
    summary: &mut Summary,
    budget: &Budget,
) -> Answer<()> {
    let mut left = txnums;
    let mut slow = true;
    while !left.is_empty() {
        let per = left.len().div_ceil(crew.hands()).clamp(STRETCH_MIN, STRETCH_MAX);
        let known = summary.script.clone();
        let known = known.as_deref();
        let search = Search { script, known, budget, slow: AtomicBool::new(slow) };
        for stretch in crew.each(left, per, |view, part| search.read(view, part)) {
            let (read, whole) = (stretch.txs.len(), stretch.txs.len() == per);
            let error = enter(summary, stretch);
            left = left.get(read..).unwrap_or_default();
            if let Some(error) = error {
                return Err(error);
            }
            if !whole {
                // there is a gap before what the others have read
                break;
            }
        }
        slow = search.slow.into_inner();
        if !left.is_empty() {
            budget.check_time()?;
        }
    }
    Ok(())
}

/// Enters the transactions that fund or spend the script; the error that ended the stretch. In
/// txnum order every output is seen before what spends it, so a spend is known by the output in
/// the same history.
fn enter(summary: &mut Summary, stretch: Stretch) -> Option<QueryError> {
    let Stretch { txs, spends, pays, script, error } = stretch;
    summary.script = summary.script.take().or(script);
    let (mut spends, mut pays) = (spends.iter(), pays.iter());
    for Seen { place, txid, spends: spent, pays: paid } in txs {
        let TxPlace { txnum, height, block, .. } = place;
        let mut touched = false;
        for out in spends.by_ref().take(spent) {
            touched |= summary.coins.remove(out).is_some();
        }
        for (vout, value) in pays.by_ref().take(paid) {
            // BIP 30: a second transaction of the same txid replaces the outputs of the first
            summary.coins.insert((txid, *vout), Unspent { txnum, height, value: *value });
            touched = true;
        }
        if touched {
            summary.push(Entry { txid, height });
        }
        summary.looked_at(txnum, height, block.tag);
    }
    error
}
