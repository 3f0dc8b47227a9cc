//! The right answers, computed naively from bitcoind's own blocks and mempool.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{Block, OutPoint, ScriptBuf, Transaction, Txid};
use hekte_testkit::model::{self, Model, ScriptHash};
use hekte_testkit::rpc::{Rpc, satoshi};
use serde_json::{Value, json};

/// An unconfirmed transaction.
#[derive(Clone)]
pub struct Loose {
    pub tx: Transaction,
    pub fee: u64,
    /// The fees of the transaction and of all its descendants, in satoshi.
    pub descendant_fees: u64,
    pub vsize: u64,
}

/// The node's blocks and mempool, and the answers that follow from them.
#[derive(Default)]
pub struct Truth {
    pub blocks: Vec<Block>,
    pub model: Model,
    pub pool: BTreeMap<Txid, Loose>,
    /// For each output with a confirmed spend, the spending transaction and the height of its
    /// block.
    spent: HashMap<OutPoint, (Txid, u32)>,
    /// For each output spent in the mempool, the spending transaction.
    pub loose_spends: HashMap<OutPoint, Txid>,
    touched: HashMap<ScriptHash, BTreeSet<Txid>>,
    seen: HashMap<Txid, Transaction>,
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn is_indexed(script: &ScriptBuf) -> bool {
    script.as_bytes().first() != Some(&0x6a)
}

impl Truth {
    /// Asks the node for all changes.
    pub fn look(&mut self, rpc: &Rpc) {
        let height = rpc.height();
        let hash_at = |height: u32| text(&rpc.call("getblockhash", json!([height]))).to_string();
        let mut keep = self.blocks.len().min(height as usize + 1);
        while keep > 0 && self.blocks[keep - 1].block_hash().to_string() != hash_at(keep as u32 - 1)
        {
            keep -= 1;
        }
        if keep < self.blocks.len() {
            self.blocks.truncate(keep);
            (self.model, self.spent) = (Model::default(), HashMap::new());
            let blocks = std::mem::take(&mut self.blocks);
            blocks.into_iter().for_each(|block| self.push(block));
        }
        for height in keep as u32..=height {
            let block = rpc.call("getblock", json!([hash_at(height), 0]));
            self.push(deserialize_hex(text(&block)).expect("a block"));
        }
        self.look_into_pool(rpc);
    }

    fn push(&mut self, block: Block) {
        let height = self.blocks.len() as u32;
        self.model.push(&block);
        for tx in block.txdata.iter().skip(1) {
            let txid = tx.compute_txid();
            let spends = tx.input.iter().map(|input| (input.previous_output, (txid, height)));
            self.spent.extend(spends);
        }
        self.blocks.push(block);
    }

    fn look_into_pool(&mut self, rpc: &Rpc) {
        let verbose = rpc.call("getrawmempool", json!([true]));
        self.pool.clear();
        for (txid, entry) in verbose.as_object().expect("an object") {
            let id: Txid = txid.parse().expect("a txid");
            let tx = self.seen.entry(id).or_insert_with(|| {
                let raw = rpc.call("getrawtransaction", json!([txid]));
                deserialize_hex(text(&raw)).expect("a transaction")
            });
            let fees = &entry["fees"];
            let loose = Loose {
                tx: tx.clone(),
                fee: satoshi(&fees["base"]),
                descendant_fees: satoshi(&fees["descendant"]),
                vsize: entry["vsize"].as_u64().expect("a number"),
            };
            self.pool.insert(id, loose);
        }
        self.loose_spends.clear();
        self.touched.clear();
        for (txid, loose) in &self.pool {
            let mut scripts = Vec::new();
            for input in &loose.tx.input {
                let out = input.previous_output;
                self.loose_spends.insert(out, *txid);
                scripts.extend(self.owner_of(&out));
            }
            let paid = loose.tx.output.iter().map(|output| &output.script_pubkey);
            scripts.extend(paid.filter(|s| is_indexed(s)).map(|s| ScriptHash::of(s)));
            for script in scripts {
                self.touched.entry(script).or_default().insert(*txid);
            }
        }
    }

    fn owner_of(&self, out: &OutPoint) -> Option<ScriptHash> {
        self.model.owner(out).or_else(|| {
            let output = self.pool.get(&out.txid)?.tx.output.get(out.vout as usize)?;
            is_indexed(&output.script_pubkey).then(|| ScriptHash::of(&output.script_pubkey))
        })
    }

    fn loose_height(&self, tx: &Transaction) -> i64 {
        let chained =
            tx.input.iter().any(|input| self.pool.contains_key(&input.previous_output.txid));
        -i64::from(chained)
    }

    /// The unconfirmed transactions of a script in canonical order, with their heights in the
    /// protocol.
    fn loose(&self, script: ScriptHash) -> Vec<(Txid, i64)> {
        let txids = self.touched.get(&script).into_iter().flatten();
        let mut all: Vec<_> =
            txids.map(|txid| (*txid, self.loose_height(&self.pool[txid].tx))).collect();
        all.sort_by_key(|(txid, height)| (-height, txid.to_string()));
        all
    }

    pub fn status(&self, script: ScriptHash) -> Value {
        let confirmed = self.model.history(script).iter();
        let confirmed = confirmed.map(|item| (item.txid, i64::from(item.height)));
        json!(model::status(confirmed.chain(self.loose(script))))
    }

    /// The answers to `get_history`, `get_mempool`, `listunspent` (sorted) and `get_balance`.
    pub fn answers(&self, script: ScriptHash) -> [Value; 4] {
        let confirmed = self.model.history(script).iter();
        let confirmed =
            confirmed.map(|i| json!({"tx_hash": i.txid.to_string(), "height": i.height}));
        let loose: Vec<Value> = self
            .loose(script)
            .into_iter()
            .map(|(txid, height)| {
                let fee = self.pool[&txid].fee;
                json!({"tx_hash": txid.to_string(), "height": height, "fee": fee})
            })
            .collect();
        let (coins, confirmed_sum, delta) = self.coins(script);
        [
            confirmed.chain(loose.iter().cloned()).collect(),
            loose.into(),
            coins.into(),
            json!({"confirmed": confirmed_sum, "unconfirmed": delta}),
        ]
    }

    fn coins(&self, script: ScriptHash) -> (Vec<Value>, u64, i64) {
        let (mut coins, mut sum, mut delta) = (Vec::new(), 0, 0);
        let coin = |txid: &Txid, vout: u32, height: u32, value: u64| {
            let txid = txid.to_string();
            json!({"tx_hash": txid, "tx_pos": vout, "height": height, "value": value})
        };
        for unspent in self.model.unspent(script) {
            sum += unspent.value;
            let out = OutPoint { txid: unspent.txid, vout: unspent.vout };
            match self.loose_spends.contains_key(&out) {
                true => delta -= unspent.value as i64,
                false => coins.push(coin(&out.txid, out.vout, unspent.height, unspent.value)),
            }
        }
        let mut fresh = Vec::new();
        for txid in self.touched.get(&script).into_iter().flatten() {
            for (vout, output) in (0u32..).zip(&self.pool[txid].tx.output) {
                let out = OutPoint { txid: *txid, vout };
                if ScriptHash::of(&output.script_pubkey) == script
                    && !self.loose_spends.contains_key(&out)
                {
                    delta += output.value.to_sat() as i64;
                    fresh.push(coin(txid, vout, 0, output.value.to_sat()));
                }
            }
        }
        fresh.sort_by_key(Value::to_string);
        coins.extend(fresh);
        (coins, sum, delta)
    }

    /// The answer to `blockchain.outpoint.get_status`.
    pub fn outpoint(&self, out: &OutPoint) -> Value {
        let place = self.model.places(out.txid).last();
        let (tx, height) = match (place, self.pool.get(&out.txid)) {
            (Some((height, pos)), _) => {
                let block = &self.blocks[*height as usize];
                (&block.txdata[*pos as usize], i64::from(*height))
            }
            (None, Some(loose)) => (&loose.tx, self.loose_height(&loose.tx)),
            (None, None) => return json!({}),
        };
        if tx.output.len() <= out.vout as usize {
            return json!({});
        }
        let mut status = json!({"funder_height": height});
        let confirmed = self.spent.get(out).map(|(txid, height)| (*txid, i64::from(*height)));
        let loose = || self.loose_spends.get(out).copied();
        let loose = || loose().map(|txid| (txid, self.loose_height(&self.pool[&txid].tx)));
        if let Some((txid, height)) = confirmed.or_else(loose) {
            status["spender_txhash"] = json!(txid.to_string());
            status["spender_height"] = json!(height);
        }
        status
    }

    pub fn height(&self) -> u32 {
        self.blocks.len() as u32 - 1
    }

    /// The answer to `blockchain.headers.subscribe`.
    pub fn tip(&self) -> Value {
        let header = &self.blocks[self.blocks.len() - 1].header;
        json!({"height": self.height(), "hex": serialize_hex(header)})
    }
}
