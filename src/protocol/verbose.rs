//! A confirmed transaction in the shape of bitcoind's `getrawtransaction` (Core
//! rpc/rawtransaction.cpp), for when no bitcoind can be asked.

use bitcoin::{Network, TxIn, TxOut};
use serde_json::{Map, Value, json};

use crate::hex;
use crate::protocol::json::Json;
use crate::query::asm::asm;
use crate::query::decoded::{DecodedTx, VerboseTx};
use crate::query::script_type::{address, script_type};

/// `blockchain.transaction.get`, verbose. What bitcoind decoded passes as it is.
pub fn verbose(tx: VerboseTx) -> Json {
    match tx {
        VerboseTx::Decoded(decoded) => Json::value(&in_shape_of_bitcoind(&decoded)),
        VerboseTx::ByNode(text) => Json::ready(text),
    }
}

fn in_shape_of_bitcoind(decoded: &DecodedTx) -> Value {
    let DecodedTx { tx, raw, network, mined } = decoded;
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.into(), value);
    put("txid", json!(tx.compute_txid().to_string()));
    put("hash", json!(tx.compute_wtxid().to_string()));
    put("version", json!(tx.version.0));
    put("size", json!(tx.total_size()));
    put("vsize", json!(tx.vsize()));
    put("weight", json!(tx.weight().to_wu()));
    put("locktime", json!(tx.lock_time.to_consensus_u32()));
    let coinbase = tx.is_coinbase();
    put("vin", tx.input.iter().map(|input| decode_input(input, coinbase)).collect());
    let outputs = tx.output.iter().zip(0u32..);
    put("vout", outputs.map(|(output, n)| decode_output(output, n, *network)).collect());
    put("hex", json!(hex::encode(raw)));
    put("blockhash", json!(mined.block_hash.to_string()));
    put("confirmations", json!(mined.confirmations));
    put("time", json!(mined.time));
    put("blocktime", json!(mined.time));
    Value::Object(object)
}

fn decode_input(input: &TxIn, coinbase: bool) -> Value {
    let mut object = Map::new();
    if coinbase {
        object.insert("coinbase".into(), json!(hex::encode(input.script_sig.as_bytes())));
    } else {
        object.insert("txid".into(), json!(input.previous_output.txid.to_string()));
        object.insert("vout".into(), json!(input.previous_output.vout));
        let script = json!({
            "asm": asm(&input.script_sig, true),
            "hex": hex::encode(input.script_sig.as_bytes()),
        });
        object.insert("scriptSig".into(), script);
    }
    if !input.witness.is_empty() {
        object.insert("txinwitness".into(), input.witness.iter().map(hex::encode).collect());
    }
    object.insert("sequence".into(), json!(input.sequence.0));
    Value::Object(object)
}

fn decode_output(output: &TxOut, n: u32, network: Network) -> Value {
    let script = &output.script_pubkey;
    let mut spk = Map::new();
    spk.insert("asm".into(), json!(asm(script, false)));
    spk.insert("hex".into(), json!(hex::encode(script.as_bytes())));
    if let Some(address) = address(script, network) {
        spk.insert("address".into(), json!(address.to_string()));
    }
    spk.insert("type".into(), json!(script_type(script)));
    json!({ "value": bitcoins(output.value.to_sat()), "n": n, "scriptPubKey": spk })
}

/// Bitcoin's own decimal notation, kept exact: eight digits behind the point.
fn bitcoins(sat: u64) -> Value {
    let text = format!("{}.{:08}", sat / 100_000_000, sat % 100_000_000);
    serde_json::from_str(&text).unwrap_or(Value::Null)
}
