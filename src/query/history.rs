//! The confirmed history of a script: every transaction filed under its prefix, read and judged.

use std::time::{Duration, Instant};

use crate::ids::{Prefix, ScriptHash};
use crate::index::chunk::Posting;
use crate::index::extract::is_unspendable;
use crate::store::tables::RunKind;

use super::answers::{Answer, QueryError};
use super::summary::{Entry, Summary, Unspent};
use super::tx::{TxPlace, TxReader, misread};
use super::view::View;

/// Transactions that are read in one go.
const PART: usize = 64;
/// Reading one takes longer than this where it is not cached; then the kernel is told of a whole
/// part before it is read, so that a disk has several reads to order.
const SLOW_READ: Duration = Duration::from_micros(50);

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
    let mut reader = TxReader::new(view);
    let mut unchecked = Vec::new();
    let mut outcome = Ok(());
    let mut slow = true;
    for part in txnums.chunks(PART) {
        let begun = Instant::now();
        let places = part.iter().map(|txnum| reader.place(*txnum));
        outcome = places.collect::<Answer<Vec<TxPlace>>>().and_then(|places| {
            if slow {
                places.iter().for_each(|place| reader.prefetch(place));
            }
            let mut places = places.iter();
            places.try_for_each(|place| judge(&mut reader, place, script, summary, &mut unchecked))
        });
        slow = begun.elapsed() > SLOW_READ * part.len() as u32;
        let last = part.last() == txnums.last();
        outcome = outcome.and_then(|()| if last { Ok(()) } else { budget.check_time() });
        if outcome.is_err() {
            break;
        }
    }
    if let Err(error) = check(view, unchecked) {
        *summary = Summary::default();
        return Err(error);
    }
    outcome?;
    summary.reached(&view.snap);
    Ok(())
}

/// Compares what was read with the txids that are indexed: what does not hash to them was damaged
/// in bitcoind's files, or stands elsewhere by now. All at once, since neighbours in the index are
/// then read together.
fn check(view: &View<'_>, mut unchecked: Vec<Posting>) -> Answer<()> {
    if view.are_filed(&mut unchecked)? {
        return Ok(());
    }
    for posting in unchecked {
        let height = view.snap.table.height_of(posting.txnum).unwrap_or_default();
        if !view.are_filed(&mut [posting])? {
            return Err(misread(view, height, "a transaction's bytes have changed"));
        }
    }
    Ok(())
}

/// Reads one transaction and enters it if it funds or spends the script. In txnum order every
/// output is seen before what spends it, so a spend is known by the output in the same history.
fn judge(
    reader: &mut TxReader<'_>,
    place: &TxPlace,
    script: &ScriptHash,
    summary: &mut Summary,
    unchecked: &mut Vec<Posting>,
) -> Answer<()> {
    let txnum = place.txnum;
    let (tx, txid) = if reader.is_recent(place) {
        reader.tx(place)?
    } else {
        let (tx, txid) = reader.unchecked(place)?;
        unchecked.push(Posting { prefix: Prefix::of(&txid), txnum });
        (tx, txid)
    };
    let mut touched = false;
    for input in tx.inputs() {
        touched |= summary.coins.remove(&(*input.txid, input.vout)).is_some();
    }
    for (vout, output) in (0u32..).zip(tx.outputs()) {
        if is_unspendable(output.script) {
            continue;
        }
        let pays = match &summary.script {
            Some(known) => output.script == &known[..],
            None => ScriptHash::of(output.script) == *script,
        };
        if pays {
            if summary.script.is_none() {
                summary.script = Some(output.script.to_vec());
            }
            let coin = Unspent { txnum, height: place.height, value: output.value };
            // BIP 30: a second transaction of the same txid replaces the outputs of the first
            summary.coins.insert((txid, vout), coin);
            touched = true;
        }
    }
    if touched {
        summary.push(Entry { txid, height: place.height });
    }
    summary.looked_at(txnum, place.height, place.block.tag);
    Ok(())
}
