//! Electrum, Sparrow and BlueWallet: greetings, then batches or many questions at once.

use bitcoin::Txid;
use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::model::ScriptHash;
use serde_json::{Value, json};

use super::Stage;
use crate::answers::expected;

/// Electrum up to 4.5: it names one version, which must be the one that comes back.
pub fn electrum_4_3(stage: &Stage) {
    let mut talk = stage.connect();
    let mut get = |id: u32, method: &str, params: &str| {
        talk.get(&format!(
            r#"{{"jsonrpc": "2.0", "method": "{method}", "params": {params}, "id": {id}}}"#
        ))
    };
    let version = get(0, "server.version", r#"["electrum/4.3.4", "1.4"]"#);
    assert_eq!(version[1], "1.4");
    assert_eq!(get(1, "blockchain.headers.subscribe", "[]"), stage.tip());
    assert!(get(2, "server.banner", "[]").is_string());
    assert!(get(3, "server.donation_address", "[]").is_string());
    assert!(get(4, "server.peers.subscribe", "[]").is_array());
    assert!(get(5, "blockchain.relayfee", "[]").as_f64() > Some(0.0));
    for (id, blocks) in (6..).zip([25, 10, 5, 2]) {
        assert!(get(id, "blockchain.estimatefee", &format!("[{blocks}]")).is_number());
    }
    assert!(get(10, "mempool.get_fee_histogram", "[]").is_array());
    let headers = get(11, "blockchain.block.headers", "[0, 2016]");
    let count = stage.model.height() as usize + 1;
    assert_eq!(
        (headers["count"].as_u64(), headers["max"].as_u64()),
        (Some(count as u64), Some(2016))
    );
    assert_eq!(headers["hex"].as_str().map(str::len), Some(160 * count));
    assert_eq!(get(12, "server.ping", "[]"), Value::Null);
}

/// Electrum from 4.6: a range of versions, the chain from `server.features`, fees from
/// `mempool.get_info`, headers as a list.
pub fn electrum_4_7(stage: &Stage) {
    let mut talk = stage.connect();
    let mut get = |id: u32, method: &str, params: &str| {
        talk.get(&format!(
            r#"{{"jsonrpc": "2.0", "method": "{method}", "params": {params}, "id": {id}}}"#
        ))
    };
    let version = get(0, "server.version", r#"["electrum/4.7.0", ["1.4", "1.6"]]"#);
    assert_eq!(version[1], "1.6");
    assert_eq!(get(1, "server.features", "[]")["genesis_hash"], stage.genesis);
    assert_eq!(get(2, "blockchain.headers.subscribe", "[]"), stage.tip());
    let info = get(3, "mempool.get_info", "[]");
    assert!(info["minrelaytxfee"].as_f64() > Some(0.0), "{info}");
    let headers = get(4, "blockchain.block.headers", "[0, 2016]");
    let list = headers["headers"].as_array().expect("a list");
    assert!(list.len() == stage.model.headers().len() && headers["hex"].is_null());
    let (script, (txid, height, raw)) = (stage.script, &stage.first);
    let status = get(5, "blockchain.scripthash.subscribe", &format!(r#"["{script}"]"#));
    assert_eq!(status, json!(stage.model.status(script)));
    let history = get(6, "blockchain.scripthash.get_history", &format!(r#"["{script}"]"#));
    assert_eq!(history, stage.history());
    let tx = get(7, "blockchain.transaction.get", &format!(r#"["{txid}"]"#));
    assert_eq!(tx, raw.as_str());
    let proof = get(8, "blockchain.transaction.get_merkle", &format!(r#"["{txid}", {height}]"#));
    assert_eq!(proof["block_height"], *height);
}

/// Sparrow: named parameters first, then batches page by page, with ids from a counter.
pub fn sparrow(stage: &Stage) {
    let mut talk = stage.connect();
    let hello = concat!(
        r#"{"method":"server.version","params":{"client_name":"Sparrow","#,
        r#""protocol_version":["1.3","1.4.2"]},"id":1,"jsonrpc":"2.0"}"#
    );
    let version = talk.get(hello);
    assert_eq!(version[1], "1.4.2");
    // it sends batches only to servers whose name it knows
    assert!(version[0].as_str().is_some_and(|name| name.contains("electrumx")), "{version}");
    let plain = |id: u32, method: &str| {
        format!(r#"{{"method":"{method}","params":{{}},"id":{id},"jsonrpc":"2.0"}}"#)
    };
    assert!(talk.get(&plain(2, "server.banner")).is_string());
    assert_eq!(talk.get(&plain(3, "blockchain.headers.subscribe")), stage.tip());
    assert!(talk.get(&plain(4, "blockchain.relayfee")).is_number());
    let bins = talk.get(&plain(5, "mempool.get_fee_histogram"));
    assert_eq!(bins.as_array().map(Vec::len), Some(1), "one payment waits: {bins}");
    let call = |id: u32, method: &str, params: &str| {
        format!(r#"{{"method":"{method}","params":[{params}],"id":{id},"jsonrpc":"2.0"}}"#)
    };
    let targets = [1, 2, 3, 4, 5, 10, 25, 50, 100, 500, 1008];
    let fees: Vec<String> = (6..)
        .zip(targets)
        .map(|(id, blocks)| call(id, "blockchain.estimatefee", &blocks.to_string()))
        .collect();
    assert!(talk.batch(&format!("[{}]", fees.join(","))).iter().all(Value::is_number));
    // a page of scripts, most of them unused
    let unused: Vec<ScriptHash> = (0..48).map(|n| ScriptHash([n; 32])).collect();
    let scripts = [&[stage.script, stage.fresh.0], &unused[..]].concat();
    let page = |method: &str| -> String {
        let calls = (100..).zip(&scripts);
        let calls: Vec<_> =
            calls.map(|(id, script)| call(id, method, &format!(r#""{script}""#))).collect();
        format!("[{}]", calls.join(","))
    };
    let statuses = talk.batch(&page("blockchain.scripthash.subscribe"));
    assert_eq!(statuses[0], json!(stage.model.status(stage.script)));
    assert!(statuses[1].is_string() && statuses[2..].iter().all(Value::is_null));
    let histories = talk.batch(&page("blockchain.scripthash.get_history"));
    assert_eq!(histories[0], stage.history());
    let (txid, height, raw) = &stage.first;
    let heights = [call(200, "blockchain.block.header", &height.to_string())];
    let header = talk.batch(&format!("[{}]", heights.join(",")));
    assert_eq!(header, [json!(serialize_hex(stage.model.header(*height)))]);
    let txs = [txid, &stage.fresh.1].map(|id| format!(r#""{id}""#));
    let raws: Vec<String> =
        (201..).zip(&txs).map(|(id, txid)| call(id, "blockchain.transaction.get", txid)).collect();
    let told = talk.batch(&format!("[{}]", raws.join(",")));
    assert!(told[0] == raw.as_str() && told[1].is_string());
    let verbose = call(203, "blockchain.transaction.get", &format!("{},true", txs[0]));
    let told = talk.batch(&format!("[{verbose}]"));
    let hash = stage.model.header(*height).block_hash().to_string();
    assert!(told[0]["blockhash"] == hash && told[0]["hex"] == raw.as_str(), "{told:?}");
    let proof = call(204, "blockchain.transaction.get_merkle", &format!("{},{height}", txs[0]));
    assert_eq!(talk.batch(&format!("[{proof}]"))[0]["block_height"], *height);
    let gone = talk.batch(&page("blockchain.scripthash.unsubscribe"));
    assert!(gone.iter().all(|was| *was == true));
    assert_eq!(talk.get(&plain(300, "server.ping")), Value::Null);
    // an extension of some servers, which must be refused as unknown
    let stats = talk.say(&call(301, "blockchain.block.stats", "5"));
    assert_eq!(stats["error"]["code"], -32601);
}

/// BlueWallet, through rn-electrum-client: batches of 200 balances, 100 histories or coins, 45
/// transactions.
pub fn bluewallet(stage: &Stage) {
    let mut talk = stage.connect();
    let call = |id: usize, method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":[{params}],"id":{id}}}"#)
    };
    let version = talk.get(&call(1, "server.version", r#""bluewallet","1.4""#));
    let name = version[0].as_str().expect("a name");
    // to servers with these names it sends one request at a time
    assert!(!["electrs", "Fulcrum", "ElectrumPersonalServer"].iter().any(|n| name.starts_with(n)));
    assert_eq!(talk.get(&call(2, "blockchain.headers.subscribe", "")), stage.tip());
    let scripts: Vec<ScriptHash> = stage.model.scripthashes().iter().take(200).copied().collect();
    let questions = [("get_balance", 200, 2), ("get_history", 100, 0), ("listunspent", 100, 1)];
    for (method, count, at) in questions {
        let method = format!("blockchain.scripthash.{method}");
        let calls = scripts.iter().take(count).enumerate();
        let calls: Vec<String> =
            calls.map(|(n, s)| call(n + 3, &method, &format!(r#""{s}""#))).collect();
        let told = talk.batch(&format!("[{}]", calls.join(",")));
        for (script, told) in scripts.iter().zip(told) {
            assert_eq!(told, expected(&stage.model, *script)[at], "{method}");
        }
    }
    let txids: Vec<Txid> = stage.model.transactions().skip(1).take(45).collect();
    let calls = txids.iter().enumerate();
    let calls: Vec<String> = calls
        .map(|(n, txid)| call(n, "blockchain.transaction.get", &format!(r#""{txid}",true"#)))
        .collect();
    for (txid, tx) in txids.iter().zip(talk.batch(&format!("[{}]", calls.join(",")))) {
        assert_eq!(tx["txid"], txid.to_string());
        let outputs = tx["vout"].as_array().expect("outputs");
        assert!(
            outputs.iter().all(|o| o["value"].is_number() && o["scriptPubKey"]["hex"].is_string())
        );
        assert!(tx["confirmations"].as_u64() > Some(0) && tx["blocktime"].is_number(), "{tx}");
    }
    assert!(talk.get(&call(9, "blockchain.estimatefee", "18")).is_number());
    assert_eq!(talk.get(&call(10, "server.ping", "")), Value::Null);
}
