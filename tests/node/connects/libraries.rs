//! Clients that never greet, explorers, and requests that other clients' libraries send.

use bitcoin::consensus::encode::serialize_hex;
use serde_json::{Value, json};

use super::{Stage, WAIT};
use crate::answers::expected;

/// Nunchuk never greets, leaves out empty parameters, and sorts its keys alphabetically.
pub fn nunchuk(stage: &Stage) {
    let mut talk = stage.connect();
    let bare =
        |id: u32, method: &str| format!(r#"{{"id":{id},"jsonrpc":"2.0","method":"{method}"}}"#);
    let call = |id: u32, method: &str, params: &str| {
        format!(r#"{{"id":{id},"jsonrpc":"2.0","method":"{method}","params":[{params}]}}"#)
    };
    assert_eq!(talk.get(&bare(0, "blockchain.headers.subscribe")), stage.tip());
    let script = format!(r#""{}""#, stage.fresh.0);
    assert!(talk.get(&call(1, "blockchain.scripthash.subscribe", &script)).is_string());
    let history = talk.get(&call(2, "blockchain.scripthash.get_history", &script));
    let entry = json!([{"tx_hash": stage.fresh.1.to_string(), "height": 0, "fee": 2000}]);
    assert_eq!(history, entry);
    let tx =
        talk.get(&call(3, "blockchain.transaction.get", &format!(r#""{}",true"#, stage.fresh.1)));
    assert!(tx["hex"].is_string() && tx.get("blocktime").is_none(), "{tx}");
    assert!(talk.get(&bare(4, "blockchain.relayfee")).is_number());
    assert!(talk.get(&call(5, "blockchain.estimatefee", "6")).is_number());
    assert_eq!(talk.get(&bare(6, "server.ping")), Value::Null);
    // newer versions ask for many in a batch
    let scripts = [stage.script, stage.fresh.0].map(|s| format!(r#""{s}""#));
    let calls: Vec<_> = (7..)
        .zip(&scripts)
        .map(|(id, script)| call(id, "blockchain.scripthash.subscribe", script))
        .collect();
    assert_eq!(talk.batch(&format!("[{}]", calls.join(","))).len(), 2);
}

/// Green and others with older versions of the crate electrum-client: no greeting, and batches as
/// many lines in one write.
pub fn green(stage: &Stage) {
    let mut talk = stage.connect();
    let call = |id: u32, method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":[{params}]}}"#)
    };
    assert_eq!(talk.get(&call(0, "server.ping", "")), Value::Null);
    assert_eq!(talk.get(&call(1, "blockchain.headers.subscribe", "")), stage.tip());
    assert!(talk.get(&call(2, "blockchain.relayfee", "")).is_number());
    let fees: Vec<_> = (1..=25)
        .map(|blocks| call(100 + blocks, "blockchain.estimatefee", &blocks.to_string()))
        .collect();
    let scripts = [stage.script, stage.fresh.0].map(|s| format!(r#""{s}""#));
    let histories: Vec<_> = (200..)
        .zip(&scripts)
        .map(|(id, script)| call(id, "blockchain.scripthash.get_history", script))
        .collect();
    let lines = [fees, histories].concat();
    assert!(talk.0.send((lines.join("\n") + "\n").as_bytes()));
    // the client matches replies by their ids, in any order
    let mut replies: Vec<Value> = lines.iter().map(|_| talk.0.json(WAIT)).collect();
    replies.sort_by_key(|reply| reply["id"].as_u64());
    assert!(replies[..25].iter().all(|reply| reply["result"].is_number()), "{replies:?}");
    assert_eq!(replies[25]["result"], stage.history());
    assert_eq!(replies[26]["result"].as_array().map(Vec::len), Some(1));
    let (txid, height, _) = &stage.first;
    let proof = call(300, "blockchain.transaction.get_merkle", &format!(r#""{txid}",{height}"#));
    assert!(talk.get(&proof)["merkle"].is_array());
}

/// Specter's Spectrum: no greeting; it takes any reply with a member `error` for a failure.
pub fn spectrum(stage: &Stage) {
    let mut talk = stage.connect();
    let mut get = |method: &str, params: &str| {
        talk.get(&format!(
            r#"{{"jsonrpc": "2.0", "method": "{method}", "params": {params}, "id": 2210736436}}"#
        ))
    };
    assert_eq!(get("server.ping", "[]"), Value::Null);
    assert_eq!(get("blockchain.headers.subscribe", "[]"), stage.tip());
    let genesis = get("blockchain.block.header", "[0]");
    assert_eq!(genesis, serialize_hex(stage.model.header(0)));
    let script = format!(r#"["{}"]"#, stage.script);
    let status = get("blockchain.scripthash.subscribe", &script);
    assert_eq!(status, json!(stage.model.status(stage.script)));
    let [history, coins, balance, _] = expected(&stage.model, stage.script);
    assert_eq!(get("blockchain.scripthash.listunspent", &script), coins);
    assert_eq!(get("blockchain.scripthash.get_balance", &script), balance);
    assert_eq!(get("blockchain.scripthash.get_history", &script), history);
    let (txid, height, raw) = &stage.first;
    get("blockchain.block.header", &format!("[{height}]"));
    let tx = get("blockchain.transaction.get", &format!(r#"["{txid}", false]"#));
    assert_eq!(tx, raw.as_str());
    let tx = get("blockchain.transaction.get", &format!(r#"["{txid}", true]"#));
    assert_eq!(tx["hex"], raw.as_str());
}

/// BTC-RPC-Explorer without `txindex`; methods of newer servers must be refused as unknown.
pub fn explorer(stage: &Stage) {
    let mut talk = stage.connect();
    let call = |id: u32, method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":[{params}],"id":{id}}}"#)
    };
    let version = talk.get(&call(1, "server.version", r#""btc-rpc-explorer-v2","1.4""#));
    assert_eq!(version[1], "1.4");
    let script = format!(r#""{}""#, stage.script);
    let history = talk.get(&call(2, "blockchain.scripthash.get_history", &script));
    assert_eq!(history, stage.history());
    let balance = talk.get(&call(3, "blockchain.scripthash.get_balance", &script));
    assert_eq!(balance, expected(&stage.model, stage.script)[2]);
    let (txid, height, _) = &stage.first;
    let method = "blockchain.transaction.get_confirmed_blockhash";
    let hash = talk.get(&call(4, method, &format!(r#""{txid}""#)));
    assert_eq!(hash, stage.model.header(*height).block_hash().to_string());
    // it takes an error for "not confirmed"
    assert_eq!(talk.say(&call(5, method, &format!(r#""{}""#, stage.fresh.1)))["error"]["code"], 2);
    let outpoint = call(6, "blockchain.outpoint.subscribe", &format!(r#""{txid}",0"#));
    let told = talk.say(&format!("[{outpoint}]"));
    assert_eq!(told[0]["error"]["code"], -32601, "{told}");
}

/// Eclair, Phoenix and related wallets: their ids are strings, and they wait for the tip.
pub fn eclair(stage: &Stage) {
    let mut talk = stage.connect();
    let call = |id: u32, method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":[{params}],"id":"{id}"}}"#)
    };
    let version = talk.say(&call(0, "server.version", r#""3.3.6","1.4""#));
    assert_eq!((&version["id"], &version["result"][1]), (&json!("0"), &json!("1.4")));
    assert_eq!(talk.get(&call(1, "blockchain.headers.subscribe", "")), stage.tip());
    let headers = talk.get(&call(2, "blockchain.block.headers", "0,2016"));
    assert!(headers["count"].is_number() && headers["hex"].is_string() && headers["max"] == 2016);
    let script = format!(r#""{}""#, stage.script);
    let status = talk.get(&call(3, "blockchain.scripthash.subscribe", &script));
    assert_eq!(status, json!(stage.model.status(stage.script)));
    let refused = talk.say(&call(4, "blockchain.transaction.broadcast", r#""00""#));
    assert!(refused["error"]["message"].is_string() && refused["error"]["code"].is_i64());
}

/// Dojo, Umbrel's page and others, which greet with one version and ping.
pub fn one_version_and_pings(stage: &Stage) {
    for name in ["dojo", "umbrel", "mempool-v2"] {
        let mut talk = stage.connect();
        let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "server.version",
            "params": [name, "1.4"]});
        let version = talk.get(&hello.to_string());
        assert!(version[0].as_str().is_some_and(|name| name.contains('/')), "{version}");
        for _ in 0..3 {
            let ping = r#"{"jsonrpc":"2.0","id":2,"method":"server.ping","params":[]}"#;
            assert_eq!(talk.get(ping), Value::Null);
        }
        // a repeated greeting is refused, but does no harm
        assert_eq!(talk.say(&hello.to_string())["error"]["code"], 1);
        let tip = r#"{"method":"blockchain.headers.subscribe","params":[],"id":3}"#;
        assert_eq!(talk.get(tip), stage.tip());
    }
}
