//! What the mempool changes for one script: entries in canonical order, coins that come and go.

use bitcoin::hashes::Hash;

use crate::ids::{OutPoint, Txid};

use super::pool::{MemTx, Mempool};
use super::script_tag::ScriptTag;

/// An unconfirmed line of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolEntry {
    /// The transaction.
    pub txid: Txid,
    /// Spends an unconfirmed output: wire height -1 instead of 0.
    pub chained: bool,
    /// Satoshi.
    pub fee: u64,
}

/// What the mempool changes for one script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MempoolEffect {
    /// Transactions that pay or spend the script: height 0 before -1, then by txid as displayed
    /// (protocol basics, "Status").
    pub entries: Vec<PoolEntry>,
    /// Outputs to the script that nothing spends yet, with their values.
    pub coins: Vec<(OutPoint, u64)>,
    /// Confirmed outputs of the script that are being spent.
    pub spent: Vec<OutPoint>,
    /// The change of the balance that follows, in satoshi.
    pub delta: i64,
}

/// Finds what the mempool changes for `script`. The script's confirmed unspent outputs are given by
/// their number `confirmed`, by the value of each, and as a list of `all`.
pub fn effect_on<'a>(
    pool: &Mempool,
    script: ScriptTag,
    confirmed: usize,
    value_of: impl Fn(&OutPoint) -> Option<u64>,
    all: impl Iterator<Item = &'a OutPoint>,
) -> MempoolEffect {
    let mut effect = MempoolEffect::default();
    if pool.is_empty() {
        return effect;
    }
    let mut found: Vec<&MemTx> = Vec::new();
    for tx in pool.payers(script) {
        found.push(tx);
        for (vout, output) in (0u32..).zip(&tx.outputs).filter(|(_, out)| out.script == script) {
            let out = OutPoint::new(tx.txid, vout);
            match pool.spender(&out) {
                Some(spender) => found.push(spender),
                None => {
                    effect.coins.push((out, output.value));
                    effect.delta = effect.delta.saturating_add_unsigned(output.value);
                }
            }
        }
    }
    let mut take = |out: &OutPoint, value: u64, spender| {
        effect.spent.push(*out);
        effect.delta = effect.delta.saturating_sub_unsigned(value);
        found.push(spender);
    };
    // whichever is shorter: the script's coins, or all that the mempool spends
    if confirmed <= pool.len() * 2 {
        for out in all {
            if let (Some(spender), Some(value)) = (pool.spender(out), value_of(out)) {
                take(out, value, spender);
            }
        }
    } else {
        for tx in pool.iter() {
            for out in &tx.inputs {
                if let Some(value) = value_of(out) {
                    take(out, value, tx);
                }
            }
        }
    }
    effect.entries = ordered(pool, found);
    effect
}

fn ordered(pool: &Mempool, mut found: Vec<&MemTx>) -> Vec<PoolEntry> {
    let displayed = |txid: &Txid| {
        let mut bytes = txid.to_byte_array();
        bytes.reverse();
        bytes
    };
    found.sort_unstable_by_key(|tx| displayed(&tx.txid));
    found.dedup_by_key(|tx| tx.txid);
    let entry = |tx: &MemTx| PoolEntry { txid: tx.txid, chained: pool.is_chained(tx), fee: tx.fee };
    let mut entries: Vec<PoolEntry> = found.into_iter().map(entry).collect();
    entries.sort_by_key(|entry| entry.chained);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mempool::pool::MemOutput;

    #[test]
    fn a_payment_that_is_spent_on_and_a_coin_that_goes() {
        let mine = ScriptTag(7);
        let output = |script, value| MemOutput { script: ScriptTag(script), value };
        let tx = |n: u8, inputs: Vec<OutPoint>, outputs: Vec<MemOutput>| MemTx {
            txid: Txid::from_byte_array([n; 32]),
            fee: u64::from(n),
            vsize: 100,
            arrival: 0,
            inputs: inputs.into(),
            outputs: outputs.into(),
        };
        let mut pool = Mempool::default();
        let out = |n: u8, vout| OutPoint::new(Txid::from_byte_array([n; 32]), vout);
        let coin = out(50, 1);
        // pays me twice; the second output is spent by 1, which pays a stranger
        pool.insert(tx(9, vec![out(60, 0)], vec![output(7, 100), output(7, 30)]));
        pool.insert(tx(1, vec![out(9, 1)], vec![output(8, 29)]));
        // spends my confirmed coin
        pool.insert(tx(3, vec![coin], vec![output(8, 400)]));
        pool.insert(tx(4, vec![out(61, 0)], vec![output(8, 1)]));
        let value_of = |out: &OutPoint| (*out == coin).then_some(1000);
        let effect = effect_on(&pool, mine, 1, value_of, [coin].iter());
        let txids: Vec<u8> = effect.entries.iter().map(|entry| entry.txid[0]).collect();
        assert_eq!(txids, [3, 9, 1], "1 is last: its input is unconfirmed");
        assert_eq!(effect.coins, [(out(9, 0), 100)]);
        assert_eq!((effect.spent.clone(), effect.delta), (vec![coin], 100 - 1000));
        let long_way = effect_on(&pool, mine, 1000, value_of, [coin].iter());
        assert_eq!(long_way, effect);
    }
}
