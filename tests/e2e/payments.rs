//! What wallets do: pay, chain payments, bump them, spend twice, send packages.

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use hekte_testkit::client::Client;
use hekte_testkit::model::ScriptHash;
use hekte_testkit::script::script_pubkey;
use hekte_testkit::sign::sign;
use hekte_testkit::wallet::{Coin, MATURITY};
use serde_json::json;

use crate::random_world::RandomWorld;

/// The smallest output made, in satoshi.
const DUST: u64 = 1000;

impl RandomWorld {
    /// All coins that can be spent now, unconfirmed ones last.
    pub fn coins(&self) -> Vec<Coin> {
        let (truth, next) = (&self.truth, self.truth.height() + 1);
        let mut coins = Vec::new();
        // some nodes' policy takes the scripts of open coins for hidden data
        for (script, owner) in self.owners.iter().filter(|(_, owner)| !owner.kind.is_open()) {
            for unspent in truth.model.unspent(*script) {
                let outpoint = OutPoint { txid: unspent.txid, vout: unspent.vout };
                let ripe = unspent.pos > 0 || unspent.height + MATURITY <= next;
                if ripe && !truth.loose_spends.contains_key(&outpoint) && unspent.value > DUST * 9 {
                    coins.extend(self.coin(outpoint).map(|coin| Coin { owner: *owner, ..coin }));
                }
            }
        }
        for (txid, loose) in &truth.pool {
            let outs = (0..loose.tx.output.len() as u32).map(|vout| OutPoint { txid: *txid, vout });
            let free = outs.filter(|out| !truth.loose_spends.contains_key(out));
            coins.extend(free.filter_map(|out| self.coin(out)).filter(|c| c.value > DUST * 9));
        }
        coins
    }

    /// An output as a coin, if it is of somebody here.
    pub fn coin(&self, outpoint: OutPoint) -> Option<Coin> {
        let place = self.truth.model.places(outpoint.txid).last();
        let tx = match place {
            Some((height, pos)) => &self.truth.blocks[*height as usize].txdata[*pos as usize],
            None => &self.truth.pool.get(&outpoint.txid)?.tx,
        };
        let output = tx.output.get(outpoint.vout as usize)?;
        let owner = *self.owners.get(&ScriptHash::of(&output.script_pubkey))?;
        let height = place.map_or(0, |place| place.0);
        let coinbase = tx.is_coinbase();
        Some(Coin { outpoint, value: output.value.to_sat(), owner, height, coinbase })
    }

    fn pick(&mut self, coins: &mut Vec<Coin>) -> Option<Coin> {
        let at = self.rng.below(coins.len() as u64) as usize;
        (at < coins.len()).then(|| coins.swap_remove(at))
    }

    /// A script that is paid again and again; the ones that some nodes' policy refuses left out.
    pub fn regular(&mut self) -> ScriptBuf {
        loop {
            let at = self.rng.below(self.regulars.len() as u64) as usize;
            let script = script_pubkey(&mut self.ring, self.regulars[at]);
            if script.len() <= 34 && !self.regulars[at].kind.is_open() {
                return script;
            }
        }
    }

    /// A signed transaction; `fee` in satoshi, or by a random rate.
    pub fn pay(&mut self, coins: &[Coin], outputs: u64, fee: Option<u64>) -> Transaction {
        let input = coins.iter().map(|coin| TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::ENABLE_RBF_NO_LOCKTIME,
            witness: Witness::new(),
        });
        let total: u64 = coins.iter().map(|coin| coin.value).sum();
        let outputs = outputs.min(total / (DUST * 4)).max(1);
        let mut output: Vec<TxOut> = (0..outputs)
            .map(|_| TxOut { value: Amount::ZERO, script_pubkey: self.regular() })
            .collect();
        if self.rng.chance(1, 30) {
            let script_pubkey = ScriptBuf::from_bytes(vec![0x6a, 2, 7, outputs as u8]);
            output.push(TxOut { value: Amount::ZERO, script_pubkey });
        }
        let (version, input) = (Version(2), input.collect());
        let mut tx = Transaction { version, lock_time: LockTime::ZERO, input, output };
        sign(&mut tx, coins, &mut self.ring, &mut self.rng);
        // signatures are a few bytes longer or shorter
        let vsize = tx.vsize() as u64 + 3 * coins.len() as u64;
        let fee = fee.unwrap_or_else(|| vsize * self.rng.range(11, 80) / 10);
        let mut left = total.saturating_sub(fee.min(total - DUST));
        for (rest, output) in (1..=outputs).rev().zip(&mut tx.output) {
            let value =
                if rest == 1 { left } else { left / rest + self.rng.below(left / rest / 4) };
            output.value = Amount::from_sat(value);
            left -= value;
        }
        sign(&mut tx, coins, &mut self.ring, &mut self.rng);
        tx
    }

    /// Broadcasts through hekte or straight to the node; whether it was taken.
    pub fn send(&mut self, door: &mut Client, tx: &Transaction) -> bool {
        let (hex, txid) = (serialize_hex(tx), tx.compute_txid().to_string());
        let taken = match self.rng.chance(1, 2) {
            true => match door.call("blockchain.transaction.broadcast", json!([hex])) {
                Ok(answer) => answer == json!(txid),
                Err(error) => {
                    assert_eq!(error["code"], 1, "{error}");
                    self.log.push(format!("refused: {error}"));
                    false
                }
            },
            false => match self.node.rpc.try_call("sendrawtransaction", json!([hex])) {
                Ok(_) => true,
                Err(problem) => {
                    self.log.push(problem);
                    false
                }
            },
        };
        self.sent += u32::from(taken);
        taken
    }

    /// A payment of one to three coins, confirmed or not.
    pub fn payment(&mut self, door: &mut Client) {
        let mut coins = self.coins();
        let count = self.rng.range(1, 3);
        let some: Vec<Coin> = (0..count).filter_map(|_| self.pick(&mut coins)).collect();
        if some.is_empty() {
            return;
        }
        let outputs = if self.rng.chance(1, 10) { 40 } else { self.rng.range(1, 4) };
        let tx = self.pay(&some, outputs, None);
        self.log.push(format!("pays {}", tx.compute_txid()));
        self.send(door, &tx);
        self.look();
    }

    /// Each pays on what it was paid, none confirmed.
    pub fn chain(&mut self, door: &mut Client) {
        let mut coins = self.coins();
        coins.retain(|coin| coin.value > 300_000);
        let Some(mut coin) = self.pick(&mut coins) else { return };
        for _ in 0..self.rng.range(2, 15) {
            let outputs = self.rng.range(1, 3);
            let tx = self.pay(&[coin], outputs, None);
            self.log.push(format!("chains {}", tx.compute_txid()));
            if !self.send(door, &tx) {
                break;
            }
            self.look();
            let vout = self.rng.below(outputs.min(tx.output.len() as u64)) as u32;
            match self.coin(OutPoint { txid: tx.compute_txid(), vout }) {
                Some(next) if next.value > DUST * 9 => coin = next,
                _ => break,
            }
        }
    }

    /// An unconfirmed transaction of somebody here, with its coins and what replacing it costs.
    fn victim(&mut self) -> Option<(Txid, Vec<Coin>, u64)> {
        let at = self.rng.below(self.truth.pool.len() as u64) as usize;
        let (txid, loose) = self.truth.pool.iter().nth(at)?;
        let coins = loose.tx.input.iter().map(|input| self.coin(input.previous_output));
        Some((*txid, coins.collect::<Option<Vec<Coin>>>()?, loose.descendant_fees))
    }

    /// The same coins again at a higher fee, to others.
    pub fn bump(&mut self, door: &mut Client) {
        let Some((old, coins, fees)) = self.victim() else { return };
        let outputs = self.rng.range(1, 4);
        let tx = self.pay(&coins, outputs, Some(fees * 2 + 4000));
        self.log.push(format!("bumps {old} to {}", tx.compute_txid()));
        self.send(door, &tx);
        self.look();
    }

    /// One of the coins again, together with another; at times at too low a fee.
    pub fn double_spend(&mut self, door: &mut Client) {
        let Some((old, mut coins, fees)) = self.victim() else { return };
        let mut free = self.coins();
        free.retain(|coin| coin.height > 0);
        coins.truncate(1);
        coins.extend(self.pick(&mut free));
        let low = self.rng.chance(1, 4);
        let tx = self.pay(&coins, 2, Some(if low { 150 } else { fees * 2 + 9000 }));
        self.log.push(format!("spends a coin of {old} in {} as well", tx.compute_txid()));
        let taken = self.send(door, &tx);
        assert!(!(low && taken), "the node takes what pays less");
        self.look();
    }

    /// A parent that pays too little by itself, and its child.
    pub fn package(&mut self, door: &mut Client) {
        let mut coins = self.coins();
        coins.retain(|coin| coin.height > 0 && coin.value > 100_000);
        let Some(coin) = self.pick(&mut coins) else { return };
        let lone = self.rng.chance(1, 2);
        let parent = self.pay(&[coin], 2, lone.then_some(400));
        let outpoint = OutPoint { txid: parent.compute_txid(), vout: 0 };
        let output = &parent.output[0];
        let owner = self.owners[&ScriptHash::of(&output.script_pubkey)];
        let value = output.value.to_sat();
        let own = Coin { outpoint, value, owner, height: 0, coinbase: false };
        let child = self.pay(&[own], 1, Some(3000));
        let txs = [&parent, &child].map(serialize_hex);
        let answer = door.call("blockchain.transaction.broadcast_package", json!([txs]));
        self.log.push(format!("package {} and its child: {answer:?}", parent.compute_txid()));
        self.look();
        let there = self.truth.pool.contains_key(&child.compute_txid());
        match answer {
            Ok(answer) => assert_eq!(answer["success"], there, "{answer}"),
            Err(error) => assert!(error["code"] == 1 && !there, "{error}"),
        }
        self.sent += u32::from(there);
    }

    pub fn look(&mut self) {
        self.truth.look(&self.node.rpc);
    }
}
