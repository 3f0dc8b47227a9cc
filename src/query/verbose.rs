//! A transaction decoded in the shape of bitcoind's `getrawtransaction` (Core
//! rpc/rawtransaction.cpp), for when no bitcoind can be asked.

use bitcoin::consensus::deserialize;
use bitcoin::script::Instruction;
use bitcoin::{Address, Network, Script, Transaction, TxIn, TxOut, opcodes};
use serde_json::{Map, Value, json};

use super::answers::{Answer, QueryError};
use super::asm::{asm, hex};

/// Where and when the transaction was confirmed.
#[derive(Clone, Debug)]
pub struct Mined {
    /// Hash of its block as displayed.
    pub block_hash: String,
    /// 1 for the tip.
    pub confirmations: u32,
    /// Time in the header.
    pub time: u32,
}

/// Decodes `raw`.
pub fn decode(raw: &[u8], network: Network, mined: Option<Mined>) -> Answer<Value> {
    let tx: Transaction = deserialize(raw)
        .map_err(|error| QueryError::Internal(format!("transaction cannot be decoded: {error}")))?;
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
    put("vout", outputs.map(|(output, n)| decode_output(output, n, network)).collect());
    put("hex", json!(hex(raw)));
    if let Some(mined) = mined {
        put("blockhash", json!(mined.block_hash));
        put("confirmations", json!(mined.confirmations));
        put("time", json!(mined.time));
        put("blocktime", json!(mined.time));
    }
    Ok(Value::Object(object))
}

fn decode_input(input: &TxIn, coinbase: bool) -> Value {
    let mut object = Map::new();
    if coinbase {
        object.insert("coinbase".into(), json!(hex(input.script_sig.as_bytes())));
    } else {
        object.insert("txid".into(), json!(input.previous_output.txid.to_string()));
        object.insert("vout".into(), json!(input.previous_output.vout));
        let script = json!({
            "asm": asm(&input.script_sig, true),
            "hex": hex(input.script_sig.as_bytes()),
        });
        object.insert("scriptSig".into(), script);
    }
    if !input.witness.is_empty() {
        object.insert("txinwitness".into(), input.witness.iter().map(hex).collect());
    }
    object.insert("sequence".into(), json!(input.sequence.0));
    Value::Object(object)
}

fn decode_output(output: &TxOut, n: u32, network: Network) -> Value {
    let script = &output.script_pubkey;
    let mut spk = Map::new();
    spk.insert("asm".into(), json!(asm(script, false)));
    spk.insert("hex".into(), json!(hex(script.as_bytes())));
    if !script.is_p2pk()
        && let Ok(address) = Address::from_script(script, network)
    {
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

/// An output that anybody may spend to pay a fee (BIP433).
const PAY_TO_ANCHOR: &[u8] = &[0x51, 0x02, 0x4e, 0x73];

/// Whether nothing but data follows the first opcode.
fn only_pushes(script: &Script) -> bool {
    let is_push = |byte: u8| byte <= opcodes::all::OP_PUSHNUM_16.to_u8();
    script.instructions().skip(1).all(|instruction| match instruction {
        Ok(Instruction::PushBytes(_)) => true,
        Ok(Instruction::Op(opcode)) => is_push(opcode.to_u8()),
        Err(_) => false,
    })
}

/// Names of Core's script/solver.cpp, GetTxnOutputType.
fn script_type(script: &Script) -> &'static str {
    if script.is_p2pk() {
        "pubkey"
    } else if script.is_p2pkh() {
        "pubkeyhash"
    } else if script.is_p2sh() {
        "scripthash"
    } else if script.is_p2wpkh() {
        "witness_v0_keyhash"
    } else if script.is_p2wsh() {
        "witness_v0_scripthash"
    } else if script.is_p2tr() {
        "witness_v1_taproot"
    } else if script.as_bytes() == PAY_TO_ANCHOR {
        "anchor"
    } else if script.is_witness_program() {
        "witness_unknown"
    } else if script.is_multisig() {
        "multisig"
    } else if script.is_op_return() && only_pushes(script) {
        "nulldata"
    } else {
        "nonstandard"
    }
}
