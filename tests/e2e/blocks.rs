//! What miners do: blocks of all or some of the mempool, of what nobody has seen; other branches.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bitcoin::Txid;
use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::client::Client;
use serde_json::json;

use crate::random_world::{RandomWorld, SETTLED};

impl RandomWorld {
    fn reward(&mut self) -> String {
        format!("raw({})", self.regular().to_hex_string())
    }

    /// Blocks as the node would make them.
    pub fn mine(&mut self, count: u32) {
        self.tick();
        let reward = self.reward();
        self.node.generate_to_descriptor(count, &reward);
        self.log.push(format!("{count} blocks to height {}", self.node.height()));
        self.look();
    }

    /// A block of some unconfirmed transactions, each with all that it needs.
    pub fn mine_some(&mut self) {
        self.tick();
        let mut chosen = BTreeSet::new();
        let txids: Vec<Txid> = self.truth.pool.keys().copied().collect();
        for txid in txids {
            if self.rng.chance(1, 3) {
                self.choose(txid, &mut chosen);
            }
        }
        let mut ordered: Vec<Txid> = Vec::new();
        while let Some(next) = chosen.iter().copied().find(|txid| {
            let parents = &self.truth.pool[txid].tx.input;
            parents.iter().all(|input| !chosen.contains(&input.previous_output.txid))
        }) {
            chosen.remove(&next);
            ordered.push(next);
        }
        let reward = self.reward();
        let ids: Vec<String> = ordered.iter().map(Txid::to_string).collect();
        self.node.generate_block(&reward, &ids);
        self.log.push(format!("a block of {} of {}", ids.len(), self.truth.pool.len()));
        self.look();
    }

    fn choose(&self, txid: Txid, chosen: &mut BTreeSet<Txid>) {
        if let Some(loose) = self.truth.pool.get(&txid)
            && chosen.insert(txid)
        {
            for input in &loose.tx.input {
                self.choose(input.previous_output.txid, chosen);
            }
        }
    }

    /// A block with a transaction that nobody has seen, which spends what another one spends.
    pub fn mine_conflict(&mut self) {
        self.tick();
        let pool = &self.truth.pool;
        let mut spends: Vec<_> = self.truth.loose_spends.keys().copied().collect();
        spends.retain(|out| !pool.contains_key(&out.txid));
        spends.sort_unstable();
        let at = self.rng.below(spends.len() as u64) as usize;
        let coin = spends.get(at).and_then(|out| self.coin(*out));
        let Some(coin) = coin.filter(|coin| coin.value > 20_000) else { return };
        let tx = self.pay(&[coin], 2, Some(1000));
        let reward = self.reward();
        self.node.generate_block(&reward, &[serialize_hex(&tx)]);
        self.log.push(format!("a block spends {} before {}", coin.outpoint, coin.owner.key));
        self.look();
    }

    /// One random block.
    pub fn mine_any(&mut self) {
        match self.rng.below(4) {
            0 => self.mine_conflict(),
            1 => self.mine_some(),
            _ => self.mine(1),
        }
    }

    /// Hash of the block `depth` below the next.
    fn first_of(&self, depth: u32) -> String {
        self.truth.blocks[(self.truth.height() + 1 - depth) as usize].block_hash().to_string()
    }

    /// Replaces the newest blocks by others, one more; at times goes back and forth between the
    /// two branches, the last time straight from one to the other.
    pub fn reorg(&mut self, depth: u32, door: &mut Client) {
        let (old, base) = (self.first_of(depth), self.truth.height() - depth);
        self.log.push(format!("{depth} blocks replaced above height {base}"));
        self.node.rpc.call("invalidateblock", json!([old]));
        self.look();
        let mut fresh = None;
        while self.truth.height() <= base + depth {
            let left = base + depth + 1 - self.truth.height();
            match left {
                0..=20 => self.mine_any(),
                _ => self.mine(left - 20),
            }
            if fresh.is_none() && self.truth.height() > base {
                fresh = Some(self.truth.blocks[base as usize + 1].block_hash().to_string());
            }
            if self.rng.chance(1, 4) {
                self.payment(door);
            }
        }
        let fresh = fresh.expect("at least one block");
        if self.rng.chance(1, 2) {
            self.log.push("and back, and straight over".into());
            self.node.rpc.call("invalidateblock", json!([fresh]));
            self.node.rpc.call("reconsiderblock", json!([old]));
            self.node.rpc.call("reconsiderblock", json!([fresh]));
        }
        self.look();
    }

    /// Replaces the newest blocks once more, after hekte has gone back to the old ones: the new
    /// branch wins in one step of `depth` blocks.
    pub fn reorg_at_once(&mut self, depth: u32, door: &mut Client) {
        let old = self.first_of(depth);
        self.reorg(depth, door);
        let fresh = self.first_of(depth + 1);
        self.node.rpc.call("invalidateblock", json!([fresh]));
        self.node.rpc.call("reconsiderblock", json!([old]));
        self.look();
        let before = self.truth.height();
        self.wait_for_tip(door);
        self.log.push(format!("{depth} blocks replaced at once"));
        self.node.rpc.call("reconsiderblock", json!([fresh]));
        self.look();
        assert_eq!((self.first_of(depth + 1), self.truth.height()), (fresh, before + 1));
        // this branch was the tip before: who has not heard that it was left would seem to be right
        self.wait_for_tip(door);
    }

    fn wait_for_tip(&self, door: &mut Client) {
        let end = Instant::now() + SETTLED;
        while door.call("blockchain.headers.subscribe", json!([])) != Ok(self.truth.tip()) {
            assert!(Instant::now() < end, "hekte is not where bitcoind is");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Takes blocks away, and gives them back.
    pub fn retreat(&mut self, depth: u32) -> String {
        let first = self.first_of(depth);
        self.log.push(format!("{depth} blocks taken away"));
        self.node.rpc.call("invalidateblock", json!([first]));
        self.look();
        first
    }
}
