//! The transactions themselves, found by txid, by an outpoint they spend, by a script they pay.
//!
//! About 330 bytes for a transaction of 2.3 inputs and 2.5 outputs: 300 000 take some 95 MiB. Raw
//! transactions are not kept; bitcoind has them.

use std::collections::HashSet;

use bitcoin::hashes::Hash;

use crate::ids::{OutPoint, ScriptHash, Txid};
use crate::parse::tx::{TxView, is_unspendable};

use super::places::{Places, Slot, out_tag, tag, tags_of_outputs};
use super::script_tag::{ScriptTag, first_eight};

fn txid_bits(txid: &Txid) -> u64 {
    first_eight(txid.as_byte_array())
}

fn spent_tag(out: &OutPoint) -> u64 {
    out_tag(txid_bits(&out.txid), out.vout)
}

/// An unconfirmed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemTx {
    /// Which it is.
    pub txid: Txid,
    /// Satoshi.
    pub fee: u64,
    /// Virtual bytes.
    pub vsize: u32,
    /// Counts arrivals: a larger one came later.
    pub arrival: u32,
    /// What it spends.
    pub inputs: Box<[OutPoint]>,
    /// What it pays, in order.
    pub outputs: Box<[MemOutput]>,
}

/// An output of an unconfirmed transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemOutput {
    /// Which script.
    pub script: ScriptTag,
    /// Satoshi.
    pub value: u64,
}

impl MemTx {
    /// From a parsed transaction and what bitcoind says of it.
    pub fn new(tx: &TxView<'_>, fee: u64, vsize: u32) -> MemTx {
        let output = |output: crate::parse::tx::OutputView<'_>| MemOutput {
            script: match is_unspendable(output.script) {
                true => ScriptTag::NOBODY,
                false => ScriptTag::of(&ScriptHash::of(output.script)),
            },
            value: output.value,
        };
        MemTx {
            txid: tx.txid(),
            fee,
            vsize: vsize.max(1),
            arrival: 0,
            inputs: tx.inputs().collect(),
            outputs: tx.outputs().map(output).collect(),
        }
    }

    /// What it takes in memory, with its places in the sets.
    pub fn bytes(&self) -> usize {
        130 + self.inputs.len() * 52 + self.outputs.len() * 32
    }
}

/// All unconfirmed transactions.
#[derive(Debug, Default)]
pub struct Mempool {
    slots: Vec<Option<MemTx>>,
    free: Vec<Slot>,
    by_txid: Places,
    by_spent: Places,
    by_script: Places,
    /// Those that bitcoind has and there was no memory for.
    left_out: HashSet<Txid>,
    bytes: usize,
    arrivals: u32,
}

impl Mempool {
    /// How many.
    pub fn len(&self) -> usize {
        self.by_txid.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_txid.is_empty()
    }

    /// What they take in memory, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &MemTx> {
        self.slots.iter().flatten()
    }

    /// The transaction of that txid.
    pub fn get(&self, txid: &Txid) -> Option<&MemTx> {
        self.slot_of(txid).and_then(|slot| self.at(slot))
    }

    /// Whether it is there.
    pub fn contains(&self, txid: &Txid) -> bool {
        self.get(txid).is_some()
    }

    /// The transaction that spends an output.
    pub fn spender(&self, out: &OutPoint) -> Option<&MemTx> {
        let candidates = self.by_spent.at(spent_tag(out));
        candidates.filter_map(|slot| self.at(slot)).find(|tx| tx.inputs.contains(out))
    }

    /// The transactions that pay a script.
    pub fn payers(&self, script: ScriptTag) -> impl Iterator<Item = &MemTx> {
        let found = self.by_script.at(tag(script.0)).filter_map(|slot| self.at(slot));
        found.filter(move |tx| tx.outputs.iter().any(|output| output.script == script))
    }

    /// Whether it spends an output that is itself unconfirmed (wire height -1).
    pub fn is_chained(&self, tx: &MemTx) -> bool {
        tx.inputs.iter().any(|out| self.contains(&out.txid) || self.left_out.contains(&out.txid))
    }

    /// The transactions that spend an output of that one, which need not be here itself.
    pub fn dependents(&self, txid: &Txid) -> impl Iterator<Item = &MemTx> {
        let found = self.by_spent.between(tags_of_outputs(txid_bits(txid)));
        let found = found.filter_map(|slot| self.at(slot));
        found.filter(move |tx| tx.inputs.iter().any(|spent| spent.txid == *txid))
    }

    /// Those that bitcoind has and there was no memory for.
    pub fn left_out(&self) -> &HashSet<Txid> {
        &self.left_out
    }

    /// Takes one out for want of memory; that it is unconfirmed stays known.
    pub fn leave_out(&mut self, txid: &Txid) -> Option<MemTx> {
        let tx = self.remove(txid)?;
        self.left_out.insert(*txid);
        Some(tx)
    }

    /// Forgets one that was left out, as it is not in bitcoind's mempool any more; whether it was.
    pub fn forget_left_out(&mut self, txid: &Txid) -> bool {
        self.left_out.remove(txid)
    }

    /// The unconfirmed output that `out` names.
    pub fn output(&self, out: &OutPoint) -> Option<MemOutput> {
        self.get(&out.txid)?.outputs.get(out.vout as usize).copied()
    }

    /// Adds one; nothing happens if it is there.
    pub fn insert(&mut self, mut tx: MemTx) {
        if self.contains(&tx.txid) {
            return;
        }
        self.arrivals = self.arrivals.wrapping_add(1);
        tx.arrival = self.arrivals;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let Some(slot) = Slot::new(self.slots.len()) else {
                    self.left_out.insert(tx.txid);
                    return;
                };
                self.slots.push(None);
                slot
            }
        };
        self.bytes += tx.bytes();
        self.by_txid.insert(tag(txid_bits(&tx.txid)), slot);
        tx.inputs.iter().for_each(|input| self.by_spent.insert(spent_tag(input), slot));
        let paid = tx.outputs.iter().filter(|output| output.script != ScriptTag::NOBODY);
        paid.for_each(|output| self.by_script.insert(tag(output.script.0), slot));
        self.left_out.remove(&tx.txid);
        self.slots[slot.index()] = Some(tx);
    }

    /// Takes one out.
    pub fn remove(&mut self, txid: &Txid) -> Option<MemTx> {
        let slot = self.slot_of(txid)?;
        let tx = self.slots.get_mut(slot.index())?.take()?;
        self.free.push(slot);
        self.bytes = self.bytes.saturating_sub(tx.bytes());
        self.by_txid.remove(tag(txid_bits(txid)), slot);
        for input in &tx.inputs {
            self.by_spent.remove(spent_tag(input), slot);
        }
        for output in &tx.outputs {
            self.by_script.remove(tag(output.script.0), slot);
        }
        Some(tx)
    }

    fn slot_of(&self, txid: &Txid) -> Option<Slot> {
        let mut slots = self.by_txid.at(tag(txid_bits(txid)));
        slots.find(|slot| self.at(*slot).is_some_and(|tx| tx.txid == *txid))
    }

    fn at(&self, slot: Slot) -> Option<&MemTx> {
        self.slots.get(slot.index())?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(n: u8) -> Txid {
        Txid::from_byte_array([n; 32])
    }

    fn tx(n: u8, spends: &[(u8, u32)], pays: &[u64]) -> MemTx {
        let output = |script: &u64| MemOutput { script: ScriptTag(*script), value: 5 };
        MemTx {
            txid: id(n),
            fee: 1,
            vsize: 100,
            arrival: 0,
            inputs: spends.iter().map(|(n, vout)| OutPoint::new(id(*n), *vout)).collect(),
            outputs: pays.iter().map(output).collect(),
        }
    }

    #[test]
    fn what_goes_in_is_found_until_it_goes_out() {
        let mut pool = Mempool::default();
        pool.insert(tx(1, &[(90, 0), (90, 1)], &[7, 7, 8]));
        pool.insert(tx(2, &[(1, 2)], &[9]));
        pool.insert(tx(2, &[(1, 2)], &[9]));
        assert_eq!(pool.len(), 2);
        assert_eq!(pool.spender(&OutPoint::new(id(90), 1)).unwrap().txid, id(1));
        assert_eq!(pool.payers(ScriptTag(7)).count(), 1);
        assert!(pool.is_chained(pool.get(&id(2)).unwrap()));
        assert_eq!(pool.output(&OutPoint::new(id(1), 2)).unwrap().script, ScriptTag(8));
        assert!(pool.remove(&id(1)).is_some() && pool.remove(&id(1)).is_none());
        assert!(!pool.is_chained(pool.get(&id(2)).unwrap()));
        assert_eq!(pool.dependents(&id(1)).count(), 1, "though it is gone");
        assert!(
            pool.spender(&OutPoint::new(id(90), 1)).is_none()
                && pool.payers(ScriptTag(7)).count() == 0
        );
        pool.remove(&id(2));
        assert_eq!((pool.len(), pool.bytes(), pool.by_script.len()), (0, 0, 0));
        pool.insert(tx(3, &[], &[1]));
        assert_eq!(pool.slots.len(), 2, "slots are used again");
    }

    #[test]
    fn what_was_left_out_is_unconfirmed_all_the_same() {
        let mut pool = Mempool::default();
        pool.insert(tx(1, &[(90, 0)], &[7]));
        pool.insert(tx(2, &[(1, 0)], &[9]));
        assert!(pool.leave_out(&id(1)).is_some() && pool.leave_out(&id(1)).is_none());
        let child = pool.get(&id(2)).unwrap().clone();
        assert!(pool.is_chained(&child));
        pool.insert(tx(1, &[(90, 0)], &[7]));
        assert!(pool.left_out().is_empty() && pool.is_chained(&child));
        pool.leave_out(&id(1));
        assert!(pool.forget_left_out(&id(1)) && !pool.is_chained(&child));
    }

    #[test]
    fn an_output_that_nobody_can_spend_pays_nobody() {
        let mut pool = Mempool::default();
        pool.insert(tx(1, &[(90, 0)], &[ScriptTag::NOBODY.0]));
        assert_eq!(pool.payers(ScriptTag::NOBODY).count(), 0);
        assert!(pool.output(&OutPoint::new(id(1), 0)).is_some());
    }
}
