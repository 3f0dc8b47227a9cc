//! What an unconfirmed transaction's coming or going changes: scripts and transactions, by prefix.

use crate::ids::{Prefix, Txid};
use crate::mempool::pool::{MemTx, Mempool};
use crate::mempool::script_tag::ScriptTag;

use super::touched::{Touched, TouchedList};
use super::watched::WatchedCoins;

/// Collects the prefixes of the script hashes and txids whose answers change with the mempool.
pub struct Touch<'a> {
    /// The scripts of the outputs that may be spent.
    watched: &'a WatchedCoins,
    list: TouchedList,
}

impl<'a> Touch<'a> {
    /// Nothing yet.
    pub fn new(watched: &'a WatchedCoins) -> Touch<'a> {
        Touch { watched, list: TouchedList::default() }
    }

    /// One that came or went: its own scripts, and those of what spends it, which is shown with
    /// another height now.
    pub fn changed(&mut self, pool: &Mempool, tx: &MemTx) {
        self.scripts_of(pool, tx);
        self.dependents_of(pool, &tx.txid);
    }

    /// Those that spend an output of this transaction.
    pub fn dependents_of(&mut self, pool: &Mempool, txid: &Txid) {
        for child in pool.dependents(txid) {
            self.scripts_of(pool, child);
        }
    }

    fn scripts_of(&mut self, pool: &Mempool, tx: &MemTx) {
        self.list.extend([Prefix::of_txid(&tx.txid)]);
        let parents = tx.inputs.iter().filter_map(|input| pool.output(input));
        let scripts = tx.outputs.iter().copied().chain(parents).map(|output| output.script);
        let indexed = scripts.filter(|script| *script != ScriptTag::NOBODY);
        self.list.extend(indexed.map(ScriptTag::prefix));
        self.watched.touched(tx.inputs.iter(), &mut self.list);
    }

    /// All that was collected.
    pub fn finish(self) -> Touched {
        self.list.finish()
    }
}
