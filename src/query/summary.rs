//! What is remembered of a script between questions: entries, unspent outputs, the status so far.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use bitcoin::hashes::Hash;
use lru::LruCache;

use crate::hash::Sha256Stream;
use crate::hex;
use crate::host::lock::lock;
use crate::ids::{Height, OutPoint, ScriptHash, TxNum, Txid};
use crate::live::served::Snapshot;
use crate::live::table::HeaderTag;

/// Rough cost of the summary of an unused script in the cache, bytes.
const BASE_BYTES: usize = 512;
/// Bytes of an entry.
const ENTRY_BYTES: usize = 36;
/// Bytes of a coin with its share of the hash table.
const COIN_BYTES: usize = 72;
/// Bytes held of a transaction while its summary is made: its number, the entry, a coin, and the
/// txid to be compared.
const MAKING_BYTES: usize = 4 + ENTRY_BYTES + COIN_BYTES + 32;
/// The memory of shorter histories is not counted while they are read: few threads answer
/// questions, so few of these are read at once.
const UNCOUNTED_ENTRIES: usize = 2000;

/// A transaction in a confirmed history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The transaction.
    pub txid: Txid,
    /// Its block.
    pub height: Height,
}

/// An unspent output of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unspent {
    /// The funding transaction: for the order.
    pub txnum: TxNum,
    /// Its block.
    pub height: Height,
    /// Satoshi.
    pub value: u64,
}

/// The confirmed history of one script, extended as blocks come.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Transactions below this number have been looked at.
    pub through: TxNum,
    /// The last block that was looked at. If it is no longer on the chain, this summary is not
    /// either.
    anchor: Option<(Height, HeaderTag)>,
    /// The history in chain order.
    pub entries: Vec<Entry>,
    /// The outputs that no confirmed transaction spends.
    pub coins: HashMap<OutPoint, Unspent>,
    /// SHA-256 over the history's text so far.
    status: Sha256Stream,
    /// The scriptPubKey, once an output with it was seen.
    pub script: Option<Vec<u8>>,
}

impl Summary {
    /// Whether all blocks that were looked at are on the chain of `snap`.
    pub fn holds(&self, snap: &Snapshot) -> bool {
        self.anchor.is_none_or(|(height, tag)| {
            snap.table.get(height).is_some_and(|block| block.tag == tag)
                && self.through <= snap.table.end_of(height)
        })
    }

    /// Whether it is complete for the moment of `snap`, so that nothing is left to be read.
    pub fn is_of(&self, snap: &Snapshot) -> bool {
        self.through.0 == snap.table.txs() && self.holds(snap)
    }

    /// Notes that everything up to `txnum` has been looked at, which is in the block at `height`.
    pub fn looked_at(&mut self, txnum: TxNum, height: Height, tag: HeaderTag) {
        self.through = TxNum(txnum.0 + 1);
        self.anchor = Some((height, tag));
    }

    /// Adds an entry behind the last.
    pub fn push(&mut self, entry: Entry) {
        self.status.update(status_text(&entry.txid, i64::from(entry.height.0)));
        self.entries.push(entry);
    }

    /// Notes that everything up to the tip of `snap` has been looked at.
    pub fn reached(&mut self, snap: &Snapshot) {
        self.through = TxNum(snap.table.txs());
        let tip = snap.tip();
        self.anchor = tip.and_then(|tip| Some((tip, snap.table.get(tip)?.tag)));
    }

    /// The status hash over the confirmed entries and then `more`; `None` if there are no entries.
    pub fn status(&self, more: impl Iterator<Item = (Txid, i64)>) -> Option<[u8; 32]> {
        let mut hasher = self.status.clone();
        let mut empty = self.entries.is_empty();
        for (txid, height) in more {
            hasher.update(status_text(&txid, height));
            empty = false;
        }
        (!empty).then(|| hasher.finish())
    }

    /// Sum of the unspent outputs, satoshi.
    pub fn balance(&self) -> u64 {
        self.coins.values().fold(0, |sum, coin| sum.saturating_add(coin.value))
    }

    /// The unspent outputs in chain order.
    pub fn unspent(&self) -> Vec<(OutPoint, Unspent)> {
        let mut coins: Vec<_> = self.coins.iter().map(|(out, coin)| (*out, *coin)).collect();
        coins.sort_unstable_by_key(|(out, coin)| (coin.txnum, out.vout));
        coins
    }

    /// Gives back the memory that was reserved while it grew and is not used.
    pub fn shrink(&mut self) {
        self.entries.shrink_to_fit();
        if self.coins.capacity() / 2 > self.coins.len() {
            self.coins.shrink_to_fit();
        }
    }

    fn bytes(&self) -> usize {
        BASE_BYTES
            + self.entries.capacity() * ENTRY_BYTES
            + self.coins.capacity() * COIN_BYTES
            + self.script.as_ref().map_or(0, Vec::len)
    }
}

/// `txid:height:` as the status hashes it (protocol basics, "Status").
fn status_text(txid: &Txid, height: i64) -> String {
    let mut text = String::with_capacity(80);
    hex::push_reversed(&mut text, txid.as_byte_array());
    text.push(':');
    text.push_str(&height.to_string());
    text.push(':');
    text
}

/// Summaries of the scripts that were asked for last, within a budget of bytes.
pub struct Summaries {
    budget: usize,
    held: Mutex<Cached>,
    made: Condvar,
}

struct Cached {
    bytes: usize,
    /// Bytes set aside for the summaries that are being made.
    making: usize,
    by_script: LruCache<ScriptHash, Slot>,
}

struct Slot {
    summary: Arc<Mutex<Summary>>,
    bytes: usize,
}

impl Summaries {
    /// Holds up to about `budget` bytes.
    pub fn new(budget: usize) -> Summaries {
        let held = Cached { bytes: 0, making: 0, by_script: LruCache::unbounded() };
        Summaries { budget, held: Mutex::new(held), made: Condvar::new() }
    }

    /// The summary of a script, perhaps an empty one. Lock it while bringing it up to date: other
    /// questions about this script then wait instead of reading its transactions, too.
    pub fn get(&self, script: &ScriptHash) -> Arc<Mutex<Summary>> {
        let mut held = lock(&self.held);
        if let Some(slot) = held.by_script.get(script) {
            return slot.summary.clone();
        }
        let summary = Arc::<Mutex<Summary>>::default();
        let slot = Slot { summary: summary.clone(), bytes: BASE_BYTES };
        held.by_script.put(*script, slot);
        held.bytes += BASE_BYTES;
        summary
    }

    /// Sets memory aside, out of the budget for all summaries, for one that grows by `entries`
    /// entries. The least recently used summaries are dropped for it; if the rest is set aside for
    /// others, waits until those are made. `None` if that takes until `deadline`.
    pub fn make_room(&self, entries: usize, deadline: Instant) -> Option<Making<'_>> {
        if entries < UNCOUNTED_ENTRIES {
            return Some(Making { summaries: self, bytes: 0 });
        }
        let bytes = entries.saturating_mul(MAKING_BYTES).min(self.budget);
        let mut held = lock(&self.held);
        while held.making > 0 && held.making + bytes > self.budget {
            let left = deadline.checked_duration_since(Instant::now())?;
            held = self.made.wait_timeout(held, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        held.making += bytes;
        // the last one stays: it is the summary for which memory is set aside
        while held.bytes + held.making > self.budget && held.by_script.len() > 1 {
            let Some((_, slot)) = held.by_script.pop_lru() else { break };
            held.bytes -= slot.bytes;
        }
        Some(Making { summaries: self, bytes })
    }

    /// Counts a summary anew after it changed, and drops the least recently used beyond the
    /// budget.
    pub fn weigh(&self, script: &ScriptHash, summary: &Summary) {
        let bytes = summary.bytes();
        let mut held = lock(&self.held);
        let held = &mut *held;
        if let Some(slot) = held.by_script.peek_mut(script) {
            held.bytes = held.bytes + bytes - slot.bytes;
            slot.bytes = bytes;
        }
        while held.bytes + held.making > self.budget {
            let Some((_, slot)) = held.by_script.pop_lru() else { break };
            held.bytes -= slot.bytes;
        }
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        lock(&self.held).bytes
    }
}

/// Memory set aside for a summary that grows; given back when this is dropped.
pub struct Making<'a> {
    summaries: &'a Summaries,
    bytes: usize,
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        let mut held = lock(&self.summaries.held);
        held.making -= self.bytes;
        drop(held);
        self.summaries.made.notify_all();
    }
}
