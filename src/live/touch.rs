//! What an unconfirmed transaction's coming or going changes: scripts and transactions, by prefix.

use crate::ids::Prefix;
use crate::mempool::pool::{MemTx, Mempool, ScriptTag};

use super::watched::WatchedCoins;

/// Collects prefixes of script hashes and of txids; who watches compares them with what it watches.
pub struct Touch<'a> {
    /// Whose coins are whose.
    pub watched: &'a WatchedCoins,
    /// What was touched so far.
    pub prefixes: Vec<Prefix>,
    /// There is more than could be told: any script may be touched.
    pub any: bool,
}

impl<'a> Touch<'a> {
    /// Nothing yet.
    pub fn new(watched: &'a WatchedCoins) -> Touch<'a> {
        Touch { watched, prefixes: Vec::new(), any: false }
    }

    /// One that came or went: its own scripts, and those of what spends it, which is shown with
    /// another height now.
    pub fn changed(&mut self, pool: &Mempool, tx: &MemTx) {
        self.scripts_of(pool, tx);
        self.dependents_of(pool, &tx.txid);
    }

    /// Those that spend an output of this transaction.
    pub fn dependents_of(&mut self, pool: &Mempool, txid: &[u8; 32]) {
        for child in pool.dependents(txid) {
            self.scripts_of(pool, child);
        }
    }

    fn scripts_of(&mut self, pool: &Mempool, tx: &MemTx) {
        self.prefixes.push(Prefix::of(&tx.txid));
        let parents = tx.inputs.iter().filter_map(|input| pool.output(input));
        let scripts = tx.outputs.iter().copied().chain(parents).map(|output| output.script);
        let indexed = scripts.filter(|script| *script != ScriptTag::NOBODY);
        self.prefixes.extend(indexed.map(ScriptTag::prefix));
        self.any |= !self.watched.touched(tx.inputs.iter(), &mut self.prefixes);
    }

    /// All of it, sorted; `None`: any may be.
    pub fn list(mut self) -> Option<Vec<Prefix>> {
        self.prefixes.sort_unstable();
        self.prefixes.dedup();
        (!self.any).then_some(self.prefixes)
    }
}
