//! The requests that wallets send when they connect, taken from their sources (November 2026) byte
//! for byte except for ids, and the fields that each of them needs in the answers.

mod libraries;
mod wallets;

use std::time::Duration;

use bitcoin::Txid;
use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::client::Client;
use hekte_testkit::hekte::Hekte;
use hekte_testkit::maker::Pay;
use hekte_testkit::model::{Model, ScriptHash};
use serde_json::{Value, json};

use crate::answers::expected;
use crate::watch::owner;
use crate::world::{World, until};

pub const WAIT: Duration = Duration::from_secs(20);

/// A chain, and scripts with a confirmed and with an unconfirmed payment.
pub struct Stage {
    pub hekte: Hekte,
    pub model: Model,
    pub genesis: String,
    /// A script with a long history.
    pub script: ScriptHash,
    /// The script's first transaction, the transaction's height, and its bytes.
    pub first: (Txid, u32, String),
    /// A script with an unconfirmed payment, and that payment.
    pub fresh: (ScriptHash, Txid),
}

impl Stage {
    fn new(world: &mut World) -> Stage {
        let hekte = world.hekte("a", &[]);
        let model = world.model();
        let script = *model.scripthashes().iter().max_by_key(|s| model.history(**s).len()).unwrap();
        let item = model.history(script)[0];
        let (height, pos) = model.places(item.txid)[0];
        let tx = &world.blocks[height as usize].txdata[pos as usize];
        let first = (item.txid, height, serialize_hex(tx));
        let mine = world.script_of(owner(50));
        let coin = world.rich_coin(0);
        let tx = world.maker.loose_tx(&[coin], &[Pay::Owner(owner(50), coin.value - 2000)]);
        world.send(&tx);
        let fresh = (ScriptHash::of(&mine), tx.compute_txid());
        let mut client = world.served(&hekte);
        until("the payment is seen", || {
            let asked = json!([fresh.0.to_string()]);
            let history = client.call("blockchain.scripthash.get_mempool", asked);
            history.is_ok_and(|list| list[0]["tx_hash"] == fresh.1.to_string())
        });
        let genesis = world.blocks[0].block_hash().to_string();
        Stage { hekte, model, genesis, script, first, fresh }
    }

    pub fn connect(&self) -> Talk {
        Talk(self.hekte.client())
    }

    pub fn tip(&self) -> Value {
        let header = self.model.header(self.model.height());
        json!({"height": self.model.height(), "hex": serialize_hex(header)})
    }

    pub fn history(&self) -> Value {
        expected(&self.model, self.script)[0].clone()
    }
}

/// A connection that sends lines.
pub struct Talk(pub Client);

impl Talk {
    /// Sends a line; returns the next line received.
    pub fn say(&mut self, line: &str) -> Value {
        assert!(self.0.send(format!("{line}\n").as_bytes()), "it closed");
        self.0.json(WAIT)
    }

    /// The result of a single request; a successful reply must have no member `error`.
    pub fn get(&mut self, line: &str) -> Value {
        let mut reply = self.say(line);
        assert!(reply.get("error").is_none() && reply.get("result").is_some(), "{line}: {reply}");
        reply["result"].take()
    }

    /// The results of a batch, by their ids.
    pub fn batch(&mut self, line: &str) -> Vec<Value> {
        let replies = self.say(line);
        let asked: Value = serde_json::from_str(line).expect("JSON");
        let result = |asked: &Value| {
            let mut replies = replies.as_array().unwrap_or_else(|| panic!("{replies}")).iter();
            let reply = replies.find(|reply| reply["id"] == asked["id"]).expect("one for each");
            assert!(reply.get("error").is_none(), "{asked}: {reply}");
            reply["result"].clone()
        };
        asked.as_array().expect("a batch").iter().map(result).collect()
    }
}

#[test]
fn wallets_and_explorers_find_what_they_look_for() {
    let Some(mut world) = World::new("connects") else { return };
    let stage = Stage::new(&mut world);
    wallets::electrum_4_3(&stage);
    wallets::electrum_4_7(&stage);
    wallets::sparrow(&stage);
    wallets::bluewallet(&stage);
    libraries::nunchuk(&stage);
    libraries::green(&stage);
    libraries::spectrum(&stage);
    libraries::explorer(&stage);
    libraries::eclair(&stage);
    libraries::one_version_and_pings(&stage);
}
