//! The questions: everything about some scripts, transactions and heights, and odd requests.

use bitcoin::{OutPoint, ScriptBuf, Txid};
use hekte_testkit::model::ScriptHash;
use serde_json::{Value, json};

use super::pair::Question;

/// The subjects of a stage's questions.
pub struct Subjects {
    pub scripts: Vec<ScriptBuf>,
    /// Transactions, with the height of their block if they have one.
    pub txs: Vec<(Txid, Option<u32>)>,
    /// Outpoints, which are watched from 1.7 on.
    pub outpoints: Vec<OutPoint>,
    pub tip: u32,
}

fn ask(method: &str, params: Value) -> Question {
    (method.to_string(), params)
}

/// How a version names a script: the prefix of the methods, and the parameter.
fn named(version: &str, script: &ScriptBuf) -> (&'static str, Value) {
    match version {
        "1.7" => ("blockchain.scriptpubkey", json!(script.to_hex_string())),
        _ => ("blockchain.scripthash", json!(ScriptHash::of(script).to_string())),
    }
}

/// Questions about scripts, in the order in which to ask them: the last two lists change
/// subscriptions.
pub fn about_scripts(version: &str, subjects: &Subjects) -> [Vec<Question>; 3] {
    let each = |names: &[&str]| -> Vec<Question> {
        let scripts = subjects.scripts.iter();
        let of = |script: &ScriptBuf| -> Vec<Question> {
            let (prefix, param) = named(version, script);
            names.iter().map(|name| ask(&format!("{prefix}.{name}"), json!([param]))).collect()
        };
        scripts.flat_map(of).collect()
    };
    let reads = ["get_balance", "get_history", "get_mempool", "listunspent", "subscribe"];
    [each(&reads), each(&["unsubscribe"]), each(&["unsubscribe"])]
}

/// Subscriptions to everything.
pub fn subscriptions(version: &str, subjects: &Subjects) -> Vec<Question> {
    let mut all = vec![ask("blockchain.headers.subscribe", json!([]))];
    for script in &subjects.scripts {
        let (prefix, param) = named(version, script);
        all.push(ask(&format!("{prefix}.subscribe"), json!([param])));
    }
    for OutPoint { txid, vout } in &subjects.outpoints {
        let params = json!([txid.to_string(), vout, ""]);
        all.push(ask("blockchain.outpoint.subscribe", params));
    }
    all
}

/// Questions about transactions, outputs, headers and the node.
pub fn about_the_rest(version: &str, subjects: &Subjects) -> Vec<Question> {
    let mut all = Vec::new();
    let tip = subjects.tip;
    for (txid, height) in &subjects.txs {
        let id = txid.to_string();
        all.push(ask("blockchain.transaction.get", json!([id])));
        all.push(ask("blockchain.transaction.get", json!([id, true])));
        for height in [height.unwrap_or(0), tip, tip + 1] {
            all.push(ask("blockchain.transaction.get_merkle", json!([id, height])));
        }
        for vout in [0, 1, 5000] {
            let params = json!([id, vout, ""]);
            all.push(ask("blockchain.outpoint.get_status", params));
        }
    }
    for height in [0, 1, 105, tip - 1, tip, tip + 1, tip + 5000] {
        all.push(ask("blockchain.block.header", json!([height])));
        all.push(ask("blockchain.block.header", json!([height, tip])));
        all.push(ask("blockchain.block.header", json!([height, 105])));
        for count in [0, 1, 3, 5000] {
            all.push(ask("blockchain.block.headers", json!([height, count])));
            all.push(ask("blockchain.block.headers", json!([height, count, tip])));
            all.push(ask("blockchain.block.headers", json!([height, count, 105])));
        }
        for pos in [0, 1, 2, 7, 5000] {
            all.push(ask("blockchain.transaction.id_from_pos", json!([height, pos])));
            all.push(ask("blockchain.transaction.id_from_pos", json!([height, pos, true])));
        }
    }
    for blocks in [0, 1, 2, 25, 100, 1008, 5000] {
        all.push(ask("blockchain.estimatefee", json!([blocks])));
        all.push(ask("blockchain.estimatefee", json!([blocks, "economical"])));
    }
    let bare = [
        "blockchain.headers.subscribe",
        "blockchain.relayfee",
        "mempool.get_info",
        "mempool.get_fee_histogram",
        "mempool.recent",
        "server.ping",
        "server.features",
        "server.banner",
        "server.donation_address",
        "server.peers.subscribe",
        "server.pong",
        "blockchain.address.get_balance",
    ];
    all.extend(bare.map(|method| ask(method, json!([]))));
    if version == "1.7" {
        all.push(ask("server.ping", json!([5, "00"])));
    }
    all
}

/// Methods with valid parameters, which the caller makes invalid.
fn good(subjects: &Subjects) -> Vec<Question> {
    // bitcoind does not return the first transaction
    let (id, height) = subjects.txs[1];
    let (id, height) = (id.to_string(), height.unwrap_or(0));
    let spk = subjects.scripts[0].to_hex_string();
    let hash = ScriptHash::of(&subjects.scripts[0]).to_string();
    let mut all = vec![
        ask("blockchain.block.header", json!([1, 5])),
        ask("blockchain.block.headers", json!([1, 2, 8])),
        ask("blockchain.estimatefee", json!([6, "ECONOMICAL"])),
        ask("blockchain.transaction.get", json!([id, false])),
        ask("blockchain.transaction.get_merkle", json!([id, height])),
        ask("blockchain.transaction.id_from_pos", json!([height, 0, true])),
        ask("blockchain.transaction.broadcast", json!(["00"])),
        ask("blockchain.transaction.broadcast_package", json!([["00", "00"], false])),
        ask("blockchain.transaction.testmempoolaccept", json!([["00"]])),
        ask("blockchain.outpoint.get_status", json!([id, 0, ""])),
        ask("blockchain.outpoint.subscribe", json!([id, 0, ""])),
        ask("blockchain.outpoint.unsubscribe", json!([id, 0])),
        ask("server.ping", json!([3, "0"])),
        ask("server.version", json!(["again", "1.4"])),
        ask("server.add_peer", json!([{"hosts": {}}])),
    ];
    let bare = ["headers.subscribe", "relayfee"];
    all.extend(bare.map(|name| ask(&format!("blockchain.{name}"), json!([]))));
    for name in ["get_info", "get_fee_histogram", "recent"] {
        all.push(ask(&format!("mempool.{name}"), json!([])));
    }
    for name in ["features", "banner", "donation_address", "peers.subscribe"] {
        all.push(ask(&format!("server.{name}"), json!([])));
    }
    for name in ["get_balance", "get_history", "get_mempool", "listunspent", "subscribe"] {
        all.push(ask(&format!("blockchain.scripthash.{name}"), json!([hash])));
        all.push(ask(&format!("blockchain.scriptpubkey.{name}"), json!([spk])));
    }
    all
}

/// Every method with missing, surplus, misnamed and invalid parameters.
pub fn odd(subjects: &Subjects) -> Vec<Question> {
    let huge: Value = serde_json::from_str("1180591620717411303424").expect("a number");
    let values = [
        Value::Null,
        json!(-1),
        json!(1.5),
        json!(2.0),
        json!("1"),
        json!("xyz"),
        json!(""),
        json!("0"),
        json!("00"),
        json!("ab".repeat(32)),
        json!(true),
        json!([]),
        json!([[]]),
        json!(["zz"]),
        json!({}),
        json!(4294967296u64),
        huge,
    ];
    let mut all = Vec::new();
    for (method, params) in good(subjects) {
        let list = params.as_array().cloned().unwrap_or_default();
        all.push(ask(&method, params.clone()));
        for at in 0..list.len() {
            all.push(ask(&method, json!(list[..at])));
            for value in &values {
                let mut spoilt = list.clone();
                spoilt[at] = value.clone();
                all.push(ask(&method, json!(spoilt)));
            }
        }
        let surplus = [list.as_slice(), &[json!(7)]].concat();
        all.push(ask(&method, json!(surplus)));
        all.push(ask(&method, json!({"no such name": 1})));
        all.push(ask(&method, json!({})));
    }
    all.extend(by_name(subjects));
    all
}

/// Every method with parameters under the protocol's names.
fn by_name(subjects: &Subjects) -> Vec<Question> {
    // bitcoind does not return the first transaction
    let (id, height) = subjects.txs[1];
    let (id, height) = (id.to_string(), height.unwrap_or(0));
    let spk = subjects.scripts[0].to_hex_string();
    let hash = ScriptHash::of(&subjects.scripts[0]).to_string();
    vec![
        ask("blockchain.block.header", json!({"height": 1, "cp_height": 5})),
        ask("blockchain.block.headers", json!({"start_height": 1, "count": 2, "cp_height": 8})),
        ask("blockchain.estimatefee", json!({"number": 6, "mode": "ECONOMICAL"})),
        ask("blockchain.transaction.get", json!({"tx_hash": id, "verbose": false})),
        ask("blockchain.transaction.get_merkle", json!({"tx_hash": id, "height": height})),
        ask("blockchain.transaction.id_from_pos", json!({"height": height, "tx_pos": 0})),
        ask("blockchain.transaction.broadcast", json!({"raw_tx": "00"})),
        ask("blockchain.transaction.broadcast_package", json!({"raw_txs": ["00"]})),
        ask("blockchain.transaction.testmempoolaccept", json!({"raw_txs": ["00"]})),
        ask(
            "blockchain.outpoint.get_status",
            json!({"tx_hash": id, "txout_idx": 0, "spk_hint": ""}),
        ),
        ask("blockchain.scripthash.get_history", json!({"scripthash": hash})),
        ask("blockchain.scriptpubkey.get_history", json!({"spk": spk})),
        ask("server.ping", json!({"pong_len": 3, "data": "0"})),
    ]
}
