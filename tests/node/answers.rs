//! Every answer about a chain, compared with the naively computed one.

use std::thread::sleep;
use std::time::{Duration, Instant};

use bitcoin::Txid;
use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::client::{Answer, Client};
use hekte_testkit::model::{self, HistoryItem, Model, ScriptHash, Unspent};
use serde_json::{Value, json};

/// The right answers about one script: history, coins, balance, status.
pub fn expected(model: &Model, script: ScriptHash) -> [Value; 4] {
    let entry =
        |item: &HistoryItem| json!({"tx_hash": item.txid.to_string(), "height": item.height});
    let coin = |coin: &Unspent| {
        let txid = coin.txid.to_string();
        json!({"tx_hash": txid, "tx_pos": coin.vout, "height": coin.height, "value": coin.value})
    };
    [
        model.history(script).iter().map(entry).collect(),
        model.unspent(script).iter().map(coin).collect(),
        json!({"confirmed": model.balance(script), "unconfirmed": 0}),
        json!(model.status(script)),
    ]
}

const QUESTIONS: [&str; 4] = [
    "blockchain.scripthash.get_history",
    "blockchain.scripthash.listunspent",
    "blockchain.scripthash.get_balance",
    "blockchain.scripthash.subscribe",
];

/// Asks everything about some scripts in one batch; four answers for each.
pub fn ask(client: &mut Client, scripts: &[ScriptHash]) -> Vec<[Answer; 4]> {
    let all = scripts.iter().flat_map(|s| QUESTIONS.map(|q| (q, json!([s.to_string()]))));
    let answers = client.batch(&all.collect::<Vec<_>>());
    answers.as_chunks::<4>().0.to_vec()
}

/// Compares the answers about one script. The model does not know unconfirmed transactions, so
/// those must only be consistent with each other.
fn judge(model: &Model, script: ScriptHash, answers: &[Answer; 4]) -> Result<(), String> {
    let [Ok(history), Ok(coins), Ok(balance), Ok(status)] = answers else {
        return Err(format!("{answers:?}"));
    };
    let right = expected(model, script);
    let (confirmed, loose) = split(history);
    let mut all: Vec<_> =
        model.history(script).iter().map(|i| (i.txid, i64::from(i.height))).collect();
    all.extend(loose.iter().filter_map(entry));
    let coins_fit = match loose.is_empty() {
        true => *coins == right[1] && *balance == right[2],
        false => balance["confirmed"] == right[2]["confirmed"],
    };
    let fits = Value::from(confirmed) == right[0] && *status == json!(model::status(all));
    match fits && coins_fit {
        true => Ok(()),
        false => Err(format!("{answers:?}\nshould be\n{right:?}")),
    }
}

/// The confirmed entries of a history, and the others.
pub fn split(history: &Value) -> (Vec<Value>, Vec<Value>) {
    let entries = history.as_array().cloned().unwrap_or_default();
    entries.into_iter().partition(|entry| entry["height"].as_i64() > Some(0))
}

/// The transaction and the height of an entry.
pub fn entry(entry: &Value) -> Option<(Txid, i64)> {
    Some((entry["tx_hash"].as_str()?.parse().ok()?, entry["height"].as_i64()?))
}

/// Compares the answers about every script, every header, and the proofs of some transactions.
pub fn same_answers(client: &mut Client, model: &Model) {
    let tip = client.call("blockchain.headers.subscribe", json!([])).expect("a tip");
    let hex = serialize_hex(model.header(model.height()));
    assert_eq!(tip, json!({"height": model.height(), "hex": hex}));
    let headers = client.call("blockchain.block.headers", json!([0, 2016])).expect("headers");
    let hex: String = model.headers().iter().take(2016).map(serialize_hex).collect();
    assert!(headers["hex"] == hex.as_str(), "headers differ");
    for scripts in model.scripthashes().chunks(200) {
        for (script, answers) in scripts.iter().zip(ask(client, scripts)) {
            let mut judged = judge(model, *script, &answers);
            let end = Instant::now() + Duration::from_secs(10);
            // transactions that a reorganisation put back into the mempool may not have reached us
            // yet
            while judged.is_err() && Instant::now() < end {
                sleep(Duration::from_millis(100));
                judged = judge(model, *script, &ask(client, &[*script])[0]);
            }
            assert_eq!(judged, Ok(()), "{script}");
        }
    }
    for txid in model.transactions().skip(1).step_by(29) {
        let (height, pos) = model.places(txid)[0];
        let merkle = model.merkle(height, pos);
        let right = json!({"block_height": height, "pos": pos, "merkle": merkle});
        let proof =
            client.call("blockchain.transaction.get_merkle", json!([txid.to_string(), height]));
        assert_eq!(proof, Ok(right), "{txid}");
        let tx = client.call("blockchain.transaction.get", json!([txid.to_string()]));
        let tx = tx.unwrap_or_else(|error| panic!("{txid}: {error}"));
        let bytes: Vec<u8> =
            bitcoin::hex::FromHex::from_hex(tx.as_str().expect("hex")).expect("hex");
        let tx: bitcoin::Transaction =
            bitcoin::consensus::deserialize(&bytes).expect("a transaction");
        assert_eq!(tx.compute_txid(), txid);
    }
}
