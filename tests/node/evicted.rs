//! What leaves the mempool without a block: for want of memory here, thrown out there, expired.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{ScriptBuf, Transaction, Txid};
use hekte_testkit::client::Client;
use hekte_testkit::hekte::Hekte;
use hekte_testkit::maker::Pay;
use hekte_testkit::model::{self, ScriptHash};
use hekte_testkit::wallet::Coin;
use serde_json::{Value, json};

use crate::watch::{coin_of, newest, owner, settle};
use crate::world::{World, until};

const SUBSCRIBE: &str = "blockchain.scriptpubkey.subscribe";
const OUTPOINT: &str = "blockchain.outpoint.subscribe";
/// Outputs of a large transaction: just under 100 000 vbytes.
const MANY: u64 = 9_800;
/// What each of them holds, in satoshi: more than dust.
const EACH: u64 = 600;
/// What a large transaction pays, in satoshi: 12 for each vbyte.
const LARGE_FEE: u64 = 1_200_000;

/// A cheap payment, and somebody who watches its script and its output.
struct Stage {
    world: World,
    client: Client,
    cheap: Transaction,
    script: ScriptBuf,
}

impl Stage {
    fn new(mut world: World, hekte: &Hekte) -> Stage {
        let mut client = newest(&world, hekte);
        let script = world.script_of(owner(20));
        let coin = world.rich_coin(0);
        let cheap = world.maker.loose_tx(&[coin], &[Pay::Owner(owner(20), coin.value - 300)]);
        let unused = client.call(SUBSCRIBE, json!([script.to_hex_string()]));
        assert_eq!(unused, Ok(Value::Null));
        let out = json!([cheap.compute_txid().to_string(), 0, ""]);
        assert_eq!(client.call(OUTPOINT, out), Ok(json!({})));
        world.send(&cheap);
        let mut stage = Stage { world, client, cheap, script };
        stage.told(&[(stage.cheap.compute_txid(), 0)], json!({"funder_height": 0}));
        stage
    }

    /// Waits until who watches knows this history and that of the output.
    fn told(&mut self, history: &[(Txid, i64)], output: Value) {
        let hash = ScriptHash::of(&self.script).to_string();
        let status = json!([hash, model::status(history.iter().copied())]);
        let output = json!([self.cheap.compute_txid().to_string(), 0, output]);
        settle(&mut self.client, &[(SUBSCRIBE, status), (OUTPOINT, output)]);
    }

    /// The cheap payment is nowhere, and neither is its coin.
    fn gone(&mut self) {
        self.told(&[], json!({}));
        let script = json!([self.script.to_hex_string()]);
        let coins = self.client.call("blockchain.scriptpubkey.listunspent", script.clone());
        assert_eq!(coins, Ok(json!({"utxos": []})));
        let balance = self.client.call("blockchain.scriptpubkey.get_balance", script);
        assert_eq!(balance, Ok(json!({"confirmed": 0, "unconfirmed": 0})));
    }

    /// Transactions as large as may be.
    fn flood(&mut self, count: usize) -> Vec<Transaction> {
        let tiny = ScriptBuf::from_bytes(vec![0x51]);
        let need = MANY * EACH + LARGE_FEE + 1000;
        let used = self.cheap.input[0].previous_output;
        let coins = self.world.maker.wallet.signed_coins(need);
        let coins: Vec<Coin> = coins.filter(|coin| coin.outpoint != used).take(count).collect();
        assert_eq!(coins.len(), count);
        let send = |coin: Coin| {
            let mut pays: Vec<Pay> = (0..MANY).map(|_| Pay::Script(tiny.clone(), EACH)).collect();
            pays.push(Pay::Owner(owner(22), coin.value - MANY * EACH - LARGE_FEE));
            let tx = self.world.maker.loose_tx(&[coin], &pays);
            // a full mempool may refuse the last ones
            let raw = json!([serialize_hex(&tx), 0]);
            let _ = self.world.node.rpc.try_call("sendrawtransaction", raw);
            tx
        };
        coins.into_iter().map(send).collect()
    }

    fn node_has_it(&self) -> bool {
        let pool = self.world.node.rpc.call("getrawmempool", json!([]));
        pool.as_array().is_some_and(|p| p.contains(&json!(self.cheap.compute_txid().to_string())))
    }
}

#[test]
fn who_watches_is_told_what_was_left_out_for_want_of_memory() {
    let Some(world) = World::new("left_out") else { return };
    let hekte = world.hekte("a", &["--memory", "64MiB"]);
    let mut stage = Stage::new(world, &hekte);
    // spent at a better rate than that of the flood, by one that stays
    let cheap = stage.cheap.compute_txid();
    let coin = coin_of(&stage.cheap, 0, owner(20));
    let pays = [Pay::Owner(owner(21), coin.value - 2500)];
    let child = stage.world.maker.loose_tx(&[coin], &pays);
    let child_id = child.compute_txid();
    stage.world.send(&child);
    let spent =
        json!({"funder_height": 0, "spender_txhash": child_id.to_string(), "spender_height": -1});
    stage.told(&[(cheap, 0), (child_id, -1)], spent.clone());

    let flood = stage.flood(45);
    stage.gone();
    assert!(hekte.log().contains("are left out"), "{}", hekte.log());
    assert!(stage.node_has_it());
    // what spends it is still known to spend something unconfirmed
    let script = stage.world.script_of(owner(21));
    let history = json!([{"tx_hash": child_id.to_string(), "height": -1, "fee": 2500}]);
    let told =
        stage.client.call("blockchain.scriptpubkey.get_history", json!([script.to_hex_string()]));
    assert_eq!(told, Ok(json!({"history": history})));
    let raw = stage.client.call("blockchain.transaction.get", json!([cheap.to_string()]));
    assert_eq!(raw, Ok(json!(serialize_hex(&stage.cheap))));

    // blocks make room, and it is there again
    for some in flood[..12].chunks(6) {
        let mined: Vec<String> = some.iter().map(serialize_hex).collect();
        stage.world.node.generate_block("raw(51)", &mined);
    }
    stage.told(&[(cheap, 0), (child_id, -1)], spent);
}

#[test]
fn who_watches_is_told_what_bitcoind_threw_out() {
    let Some(world) = World::with("thrown_out", &["-maxmempool=5"]) else { return };
    let hekte = world.hekte("a", &[]);
    let mut stage = Stage::new(world, &hekte);
    stage.flood(16);
    assert!(!stage.node_has_it());
    stage.gone();
}

#[test]
fn who_watches_is_told_what_expired() {
    let Some(world) = World::with("expired", &["-mempoolexpiry=1"]) else { return };
    let hekte = world.hekte("a", &[]);
    let mut stage = Stage::new(world, &hekte);
    let now = std::time::UNIX_EPOCH.elapsed().expect("it is later").as_secs();
    stage.world.node.rpc.call("setmocktime", json!([now + 3601]));
    // bitcoind looks for what has expired when the next one comes
    stage.flood(1);
    until("it has expired", || !stage.node_has_it());
    stage.gone();
}
