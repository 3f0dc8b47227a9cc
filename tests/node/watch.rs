//! Who watches beside a real node: what a foreign parent changes, a history that grows too long,
//! what was unsubscribed, outpoints.

use std::collections::HashMap;
use std::time::Duration;

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{OutPoint, ScriptBuf, Transaction};
use hekte_testkit::client::Client;
use hekte_testkit::hekte::Hekte;
use hekte_testkit::maker::Pay;
use hekte_testkit::model::{self, ScriptHash};
use hekte_testkit::script::{Kind, Owner, script_pubkey};
use hekte_testkit::wallet::Coin;
use serde_json::{Value, json};

use crate::world::{PATIENCE, START, World, until};

const SUBSCRIBE: &str = "blockchain.scriptpubkey.subscribe";
const OUTPOINT: &str = "blockchain.outpoint.subscribe";

/// A script that nobody has used.
pub fn owner(key: u64) -> Owner {
    Owner { kind: Kind::P2wpkh, key: 990_000 + key }
}

impl World {
    pub fn script_of(&mut self, owner: Owner) -> ScriptBuf {
        script_pubkey(&mut self.maker.ring, owner)
    }

    /// The `nth` coin that we can sign for.
    pub fn rich_coin(&self, nth: usize) -> Coin {
        self.maker.wallet.signed_coins(1_000_000).nth(nth).expect("coins enough")
    }

    pub fn send(&self, tx: &Transaction) -> String {
        self.node.rpc.call("sendrawtransaction", json!([serialize_hex(tx), 0]));
        tx.compute_txid().to_string()
    }
}

/// What a transaction pays to one of ours, as a coin.
pub fn coin_of(tx: &Transaction, vout: u32, owner: Owner) -> Coin {
    let outpoint = OutPoint { txid: tx.compute_txid(), vout };
    let value = tx.output[vout as usize].value.to_sat();
    Coin { outpoint, value, owner, height: 0, coinbase: false }
}

/// A client of the newest version.
pub fn newest(world: &World, hekte: &Hekte) -> Client {
    greet(world.served(hekte))
}

fn greet(mut client: Client) -> Client {
    let agreed = client.call("server.version", json!(["watch", "1.7"])).expect("a version");
    assert_eq!(agreed[1], "1.7");
    client
}

/// The next notification that is no noise.
pub fn told(client: &mut Client, patience: Duration) -> Option<Value> {
    loop {
        let note = client.notification(patience)?;
        if note["method"] != "server.ping" {
            return Some(note);
        }
    }
}

/// Reads notifications until this one; any other that `allowed` does not name is a failure.
pub fn hear(client: &mut Client, method: &str, params: &Value, allowed: &[&Value]) {
    loop {
        let note = told(client, PATIENCE).expect("a notification");
        if note["method"] == method && note["params"] == *params {
            return;
        }
        assert!(allowed.contains(&&note["params"]), "{note}, not {method} {params}");
    }
}

/// Reads notifications until the last word about each of these is what is given here.
pub fn settle(client: &mut Client, wanted: &[(&str, Value)]) {
    // a script is named by one parameter, an outpoint by two
    let key = |params: &Value| (params[0].clone(), params[1].as_u64());
    let mut heard = HashMap::new();
    let right = |heard: &HashMap<_, Value>, (method, params): &(&str, Value)| {
        heard.get(&(method.to_string(), key(params))) == Some(params)
    };
    while !wanted.iter().all(|one| right(&heard, one)) {
        let Some(note) = told(client, PATIENCE) else { panic!("{heard:?}, not {wanted:?}") };
        let method = note["method"].as_str().expect("a method").to_string();
        heard.insert((method, key(&note["params"])), note["params"].clone());
    }
}

#[test]
fn a_foreign_parent_changes_the_height_of_its_child() {
    let Some(mut world) = World::new("a_foreign_parent") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    let mut client = newest(&world, &hekte);
    let (stranger, mine) = (owner(1), owner(2));
    let script = world.script_of(mine);
    let hash = ScriptHash::of(&script).to_string();
    let coin = world.rich_coin(0);
    let parent = world.maker.loose_tx(&[coin], &[Pay::Owner(stranger, coin.value - 1000)]);
    let child = world
        .maker
        .loose_tx(&[coin_of(&parent, 0, stranger)], &[Pay::Owner(mine, coin.value - 3000)]);
    let txid = child.compute_txid();
    let told = client.call(SUBSCRIBE, json!([script.to_hex_string()]));
    assert_eq!(told, Ok(Value::Null));
    let out = json!([txid.to_string(), 0, ""]);
    assert_eq!(client.call(OUTPOINT, out), Ok(json!({})));

    world.send(&parent);
    world.send(&child);
    let mut expect = |height: i64| {
        let outpoint = json!([txid.to_string(), 0, {"funder_height": height}]);
        let status = json!([hash, model::status([(txid, height)])]);
        settle(&mut client, &[(SUBSCRIBE, status), (OUTPOINT, outpoint)]);
    };
    expect(-1);
    // the parent pays nothing that is watched; only the height of the child changes
    world.node.generate_block("raw(51)", &[serialize_hex(&parent)]);
    expect(0);
    let tip = world.node.tip().to_string();
    world.node.rpc.call("invalidateblock", json!([tip]));
    expect(-1);
    world.node.rpc.call("reconsiderblock", json!([tip]));
    expect(0);
}

#[test]
fn a_history_over_the_limit_leaves_the_rest_alive() {
    let Some(mut world) = World::new("a_history_over_the_limit") else { return };
    let hekte = world.hekte("a", &["--max-history", "3"]);
    let mut client = newest(&world, &hekte);
    let scripts = [owner(3), owner(4)].map(|owner| world.script_of(owner));
    let [busy, quiet] = scripts.clone().map(|script| json!([script.to_hex_string()]));
    let [busy_hash, quiet_hash] = scripts.map(|script| ScriptHash::of(&script).to_string());
    for script in [&busy, &quiet] {
        assert_eq!(client.call(SUBSCRIBE, script.clone()), Ok(Value::Null));
    }
    // a payment in a block of its own
    let pay = |world: &mut World, to: Owner, nth: usize| {
        let coin = world.rich_coin(nth);
        let tx = world.maker.loose_tx(&[coin], &[Pay::Owner(to, coin.value - 2000)]);
        world.node.generate_block("raw(51)", &[serialize_hex(&tx)]);
        (tx.compute_txid(), i64::from(world.node.height()))
    };
    let mut paid = Vec::new();
    for nth in 0..3 {
        paid.push(pay(&mut world, owner(3), nth));
        let status = json!([busy_hash, model::status(paid.clone())]);
        hear(&mut client, SUBSCRIBE, &status, &[]);
    }
    // the fourth is one too many: told, and not as if the script were unused or unchanged
    paid.push(pay(&mut world, owner(3), 3));
    let note = told(&mut client, PATIENCE).expect("told");
    assert_eq!(note["params"][0], busy_hash.as_str());
    assert!(
        note["params"][1].is_string() && note["params"][1] != json!(model::status(paid.clone()))
    );
    for method in ["get_history", "listunspent", "get_balance", "subscribe"] {
        let answer = client.call(&format!("blockchain.scriptpubkey.{method}"), busy.clone());
        let error = answer.expect_err(method);
        assert_eq!(error["code"], 10001, "{method}: {error}");
    }
    // the others hear of theirs, on this connection and on a new one
    let other = pay(&mut world, owner(4), 4);
    let status = model::status([other]);
    hear(&mut client, SUBSCRIBE, &json!([quiet_hash, status]), &[]);
    let mut another = greet(hekte.client());
    assert_eq!(another.call(SUBSCRIBE, quiet.clone()), Ok(json!(status)));
    assert!(another.call("server.banner", json!([])).is_ok());
    // with the block of the fourth gone it can be told again
    let fourth = world.node.rpc.call("getblockhash", json!([paid[3].1]));
    world.node.rpc.call("invalidateblock", json!([fourth]));
    paid[3].1 = 0;
    settle(&mut client, &[(SUBSCRIBE, json!([busy_hash, model::status(paid)]))]);
    assert_eq!(client.call("blockchain.scriptpubkey.unsubscribe", busy), Ok(json!(true)));
    let told = hekte.log();
    assert!(told.contains(&format!("watched script {busy_hash} has become too long")), "{told}");
}

#[test]
fn what_was_unsubscribed_is_told_no_more() {
    let Some(mut world) = World::new("what_was_unsubscribed") else { return };
    let hekte = world.hekte("a", &[]);
    let mut client = newest(&world, &hekte);
    let scripts = [owner(5), owner(6)].map(|owner| world.script_of(owner));
    let [left, kept] = scripts.clone().map(|script| json!([script.to_hex_string()]));
    let kept_hash = ScriptHash::of(&scripts[1]).to_string();
    let coins = [world.rich_coin(0), world.rich_coin(1)];
    let first = world.maker.loose_tx(&coins[..1], &[Pay::Owner(owner(5), coins[0].value - 2000)]);
    let second = world.maker.loose_tx(&coins[1..], &[Pay::Owner(owner(6), coins[1].value - 2000)]);
    let out = [json!(first.compute_txid().to_string()), json!(0)];
    for script in [&left, &kept] {
        assert_eq!(client.call(SUBSCRIBE, script.clone()), Ok(Value::Null));
    }
    assert_eq!(client.call(OUTPOINT, json!([out[0], out[1], ""])), Ok(json!({})));
    let stop = "blockchain.scriptpubkey.unsubscribe";
    for was in [true, false] {
        assert_eq!(client.call(stop, left.clone()), Ok(json!(was)));
        assert_eq!(client.call("blockchain.outpoint.unsubscribe", json!(out)), Ok(json!(was)));
    }
    world.send(&first);
    until("it is seen", || {
        let history = client.call("blockchain.scriptpubkey.get_mempool", left.clone());
        history.expect("a history")["history"].as_array().is_some_and(|list| list.len() == 1)
    });
    world.send(&second);
    let status = model::status([(second.compute_txid(), 0)]);
    hear(&mut client, SUBSCRIBE, &json!([kept_hash, status]), &[]);
    world.node.generate_to_descriptor(1, "raw(51)");
    let height = i64::from(world.node.height());
    let status = model::status([(second.compute_txid(), height)]);
    hear(&mut client, SUBSCRIBE, &json!([kept_hash, status]), &[]);
    assert_eq!(told(&mut client, Duration::from_millis(300)), None);
}

#[test]
fn an_outpoint_is_followed_from_nothing_to_its_spender() {
    let Some(mut world) = World::new("an_outpoint_is_followed") else { return };
    let hekte = world.hekte("a", &[]);
    let mut client = newest(&world, &hekte);
    let coin = world.rich_coin(0);
    let funder = world.maker.loose_tx(&[coin], &[Pay::Owner(owner(7), coin.value - 2000)]);
    let own = coin_of(&funder, 0, owner(7));
    let spend = |world: &mut World, fee: u64| {
        world.maker.loose_tx(&[own], &[Pay::Owner(owner(8), own.value - fee)])
    };
    let (spender, other) = (spend(&mut world, 2000), spend(&mut world, 60_000));
    let [txid, first, second] = [&funder, &spender, &other].map(|tx| tx.compute_txid().to_string());
    assert_eq!(client.call(OUTPOINT, json!([txid, 0, ""])), Ok(json!({})));
    let alone = |height: i64| json!({"funder_height": height});
    let next = |client: &mut Client, status: Value| {
        // after a reorganisation the spender is looked for in the mempool a moment later
        let gone = json!([txid, 0, alone(i64::from(START) + 1)]);
        hear(client, OUTPOINT, &json!([txid, 0, status]), &[&gone]);
        let asked = client.call("blockchain.outpoint.get_status", json!([txid, 0, ""]));
        assert_eq!(asked, Ok(status));
    };
    let spent = |funder: i64, txid: &str, height: i64| {
        let mut status = alone(funder);
        status["spender_txhash"] = json!(txid);
        status["spender_height"] = json!(height);
        status
    };
    world.send(&funder);
    next(&mut client, alone(0));
    world.send(&spender);
    next(&mut client, spent(0, &first, -1));
    world.send(&other);
    next(&mut client, spent(0, &second, -1));
    world.node.generate_block("raw(51)", &[serialize_hex(&funder)]);
    let height = i64::from(world.node.height());
    next(&mut client, spent(height, &second, 0));
    world.node.generate_block("raw(51)", &[serialize_hex(&other)]);
    next(&mut client, spent(height, &second, height + 1));
    // the block of the spender goes away, and the other spender comes with the next
    let tip = world.node.tip().to_string();
    world.node.rpc.call("invalidateblock", json!([tip]));
    next(&mut client, spent(height, &second, 0));
    world.node.generate_block("raw(52)", &[serialize_hex(&spender)]);
    next(&mut client, spent(height, &first, height + 1));
}
