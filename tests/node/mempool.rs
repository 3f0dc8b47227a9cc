//! Unconfirmed payments beside a real bitcoind: seen, chained, spent, replaced, confirmed.

use std::time::{Duration, Instant};

use bitcoin::OutPoint;
use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::bitcoind::{self, Bitcoind};
use hekte_testkit::chain::ChainSpec;
use hekte_testkit::client::Client;
use hekte_testkit::hekte::Hekte;
use hekte_testkit::maker::{Maker, Pay};
use hekte_testkit::model::{self, ScriptHash};
use hekte_testkit::scratch::Scratch;
use hekte_testkit::script::{Kind, Owner, script_pubkey};
use hekte_testkit::wallet::Coin;
use serde_json::{Value, json};

const HEKTE: &str = env!("CARGO_BIN_EXE_hekte");
const PATIENCE: Duration = Duration::from_secs(10);

/// The result; an error is a failure.
fn get(client: &mut Client, method: &str, params: Value) -> Value {
    client.call(method, params).expect(method)
}

/// The next notification about a script; those of new blocks are passed over.
fn told(client: &mut Client) -> Value {
    loop {
        let notice = client.notification(PATIENCE).expect("a notification");
        if notice["method"] == "blockchain.scripthash.subscribe" {
            return notice["params"].clone();
        }
    }
}

/// Asks until the answer is the one expected.
fn until(client: &mut Client, method: &str, params: Value, expected: &Value) {
    let start = Instant::now();
    loop {
        let answer = get(client, method, params.clone());
        if answer == *expected {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{method} {params}: {answer}, not {expected}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A node with money, hekte beside it, and a client that watches a script nobody has used.
struct Stage {
    node: Bitcoind,
    maker: Maker,
    server: Hekte,
    client: Client,
    mine: Owner,
    hash: Value,
    _dir: Scratch,
}

fn stage() -> Stage {
    let node = Bitcoind::start(&[]);
    let mut maker = Maker::new(&ChainSpec { blocks: 130, ..ChainSpec::default() });
    for _ in 0..130 {
        assert!(node.submit(&maker.next_block().block));
    }
    let dir = Scratch::new("mempool");
    let datadir = node.datadir().to_str().unwrap().to_owned();
    let url = format!("--rpc-url={}", node.rpc.url());
    let data = format!("--data-dir={}", dir.path().display());
    let server = Hekte::start(
        HEKTE,
        dir.path(),
        &["--network=regtest", "--bitcoin-dir", &datadir, &url, &data, "--listen=127.0.0.1:0"],
    );
    let mut client = server.client();
    until(&mut client, "blockchain.headers.subscribe", json!([]), &{
        let header = node.rpc.call("getblockheader", json!([node.tip().to_string(), false]));
        json!({"height": 130, "hex": header})
    });
    let mine = Owner { kind: Kind::P2wpkh, key: 777_777 };
    let script = script_pubkey(&mut maker.ring, mine);
    let hash = json!([ScriptHash::of(&script).to_string()]);
    let start = Instant::now();
    while client.call("blockchain.scripthash.subscribe", hash.clone()) != Ok(Value::Null) {
        assert!(start.elapsed() < PATIENCE, "{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    Stage { node, maker, server, client, mine, hash, _dir: dir }
}

#[test]
fn a_payment_is_seen_spent_on_and_confirmed() {
    if !bitcoind::available("mempool") {
        return;
    }
    let Stage { mut node, mut maker, server, mut client, mine, hash, _dir } = stage();
    // a payment to me
    let coin = maker.wallet.signed_coins(1_000_000).next().unwrap();
    let pay = coin.value - 20_000;
    let tx = maker.loose_tx(&[coin], &[Pay::Owner(mine, pay)]);
    let txid = tx.compute_txid();
    let sent = get(&mut client, "blockchain.transaction.broadcast", json!([serialize_hex(&tx)]));
    assert_eq!(sent, json!(txid.to_string()));
    let status = model::status([(txid, 0)]);
    assert_eq!(told(&mut client), json!([hash[0], status]), "{}", server.log());
    let entry = json!({"fee": 20_000, "height": 0, "tx_hash": txid.to_string()});
    assert_eq!(get(&mut client, "blockchain.scripthash.get_mempool", hash.clone()), json!([entry]));
    let balance = get(&mut client, "blockchain.scripthash.get_balance", hash.clone());
    assert_eq!(balance, json!({"confirmed": 0, "unconfirmed": pay}));
    let raw = get(&mut client, "blockchain.transaction.get", json!([txid.to_string()]));
    assert_eq!(raw, json!(serialize_hex(&tx)));

    // spent on, unconfirmed
    let outpoint = OutPoint { txid, vout: 0 };
    let next = Coin { outpoint, value: pay, owner: mine, height: 131, coinbase: false };
    let on = maker.loose_tx(&[next], &[Pay::Owner(mine, pay - 5000)]);
    get(&mut client, "blockchain.transaction.broadcast", json!([serialize_hex(&on)]));
    let status = model::status([(txid, 0), (on.compute_txid(), -1)]);
    assert_eq!(told(&mut client), json!([hash[0], status]));
    let coins = json!([{"height": 0, "tx_hash": on.compute_txid().to_string(), "tx_pos": 0,
        "value": pay - 5000}]);
    assert_eq!(get(&mut client, "blockchain.scripthash.listunspent", hash.clone()), coins);
    assert!(
        !get(&mut client, "mempool.get_fee_histogram", json!([])).as_array().unwrap().is_empty()
    );

    // the first confirmed, the second not
    let raw = [serialize_hex(&tx)];
    node.generate_block("raw(51)", &raw);
    let status = model::status([(txid, 131), (on.compute_txid(), 0)]);
    // perhaps in two steps: the block first, then what it means for the second transaction
    let mut notice = told(&mut client);
    if notice != json!([hash[0], status]) {
        notice = told(&mut client);
    }
    assert_eq!(notice, json!([hash[0], status]));

    // everything confirmed
    node.generate_to_descriptor(1, "raw(51)");
    let txs = [(txid, 131), (on.compute_txid(), 132)];
    let status = model::status(txs);
    until(&mut client, "blockchain.scripthash.subscribe", hash.clone(), &json!(status));
    let balance = json!({"confirmed": pay - 5000, "unconfirmed": 0});
    assert_eq!(get(&mut client, "blockchain.scripthash.get_balance", hash), balance);
    node.stop();
}
