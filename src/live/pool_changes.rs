//! Which scripts and transactions a change of the mempool touches, by prefix.

use crate::ids::{Prefix, Txid};
use crate::mempool::pool::{MemTx, Mempool};
use crate::mempool::script_tag::ScriptTag;

use super::touched::{Touched, TouchedList};
use super::watched::WatchedCoins;

/// Collects the prefixes of the script hashes and txids whose answers change with the mempool.
pub struct PoolChanges<'a> {
    /// The outputs that clients watch, with their scripts.
    watched: &'a WatchedCoins,
    list: TouchedList,
}

impl<'a> PoolChanges<'a> {
    /// A collection with nothing in it yet.
    pub fn new(watched: &'a WatchedCoins) -> PoolChanges<'a> {
        PoolChanges { watched, list: TouchedList::default() }
    }

    /// Adds a transaction that came or went: its own scripts, and those of the transactions that
    /// spend its outputs, since histories show these with another height now.
    pub fn add(&mut self, pool: &Mempool, tx: &MemTx) {
        self.add_scripts_of(pool, tx);
        self.add_dependents_of(pool, &tx.txid);
    }

    /// Adds the scripts of the transactions that spend an output of `txid`.
    pub fn add_dependents_of(&mut self, pool: &Mempool, txid: &Txid) {
        for child in pool.dependents(txid) {
            self.add_scripts_of(pool, child);
        }
    }

    fn add_scripts_of(&mut self, pool: &Mempool, tx: &MemTx) {
        self.list.extend([Prefix::of_txid(&tx.txid)]);
        let parents = tx.inputs.iter().filter_map(|input| pool.output(input));
        let scripts = tx.outputs.iter().copied().chain(parents).map(|output| output.script);
        let indexed = scripts.filter(|script| *script != ScriptTag::NOBODY);
        self.list.extend(indexed.map(ScriptTag::prefix));
        self.watched.touched(tx.inputs.iter(), &mut self.list);
    }

    /// What was collected.
    pub fn finish(self) -> Touched {
        self.list.finish()
    }
}
