//! Turns a method's name and parameters into a typed `Method` of the negotiated version.

use bitcoin::OutPoint;
use serde_json::Value;

use crate::limits::{MAX_CLIENT_NAME_CHARS, MAX_PACKAGE_TRANSACTIONS, MAX_PONG_CHARS};
use crate::protocol::message::{ErrorObject, UNKNOWN_METHOD, cut, shown};
use crate::protocol::method::{Method, Naming, ScriptQuestion};
use crate::protocol::params::{Params, Read};
use crate::protocol::version::{Version, negotiate};
use crate::query::relay::FeeMode;

/// Parses one request of a client that speaks `version`.
///
/// Methods of later versions that do no harm (`unsubscribe`, `broadcast_package`, `get_info`) are
/// served at every version; methods that a version dropped or renamed are not.
///
/// # Errors
/// -32601 for methods that this version does not have, -32602 for missing or surplus parameters, 1
/// for invalid values.
pub fn method(name: &str, params: &Value, version: Version) -> Read<Method> {
    let found = match name.split_once('.') {
        Some(("blockchain", rest)) => blockchain(rest, params, version)?,
        Some(("mempool", rest)) => mempool(rest, version),
        Some(("server", rest)) => server(rest, params, version)?,
        Some(("hekte", "status")) => Some(Method::StatusReport),
        _ => None,
    };
    found.ok_or_else(|| unknown(name, version))
}

fn unknown(name: &str, version: Version) -> ErrorObject {
    let name = shown(&Value::from(name));
    ErrorObject::new(UNKNOWN_METHOD, format!("unknown method {name} at protocol {version}"))
}

fn blockchain(name: &str, params: &Value, version: Version) -> Read<Option<Method>> {
    let method = match name.split_once('.') {
        None if name == "estimatefee" => Some(estimate_fee(params)?),
        None if name == "relayfee" && version < Version::V1_6 => Some(Method::RelayFee),
        Some(("headers", "subscribe")) => Some(Method::HeadersSubscribe),
        Some(("block", name)) => block(name, params)?,
        Some(("scripthash", name)) if version < Version::V1_7 => script_hash(name, params)?,
        Some(("scriptpubkey", name)) if version >= Version::V1_7 => script_pubkey(name, params)?,
        Some(("outpoint", name)) if version >= Version::V1_7 => outpoint(name, params)?,
        Some(("transaction", name)) => transaction(name, params, version)?,
        _ => None,
    };
    Ok(method)
}

fn block(name: &str, params: &Value) -> Read<Option<Method>> {
    Ok(match name {
        "header" => {
            let params = Params::new(params, &["height", "cp_height"])?;
            let (height, checkpoint) = (params.height(0)?, params.checkpoint(1)?);
            Some(Method::BlockHeader { height, checkpoint })
        }
        "headers" => {
            let params = Params::new(params, &["start_height", "count", "cp_height"])?;
            let (start, count) = (params.start_height(0)?, params.count(1)?);
            Some(Method::BlockHeaders { start, count, checkpoint: params.checkpoint(2)? })
        }
        _ => None,
    })
}

fn script_question(name: &str) -> Option<ScriptQuestion> {
    Some(match name {
        "get_balance" => ScriptQuestion::Balance,
        "get_history" => ScriptQuestion::History,
        "get_mempool" => ScriptQuestion::Mempool,
        "listunspent" => ScriptQuestion::Unspent,
        "subscribe" => ScriptQuestion::Subscribe,
        "unsubscribe" => ScriptQuestion::Unsubscribe,
        _ => return None,
    })
}

fn script_hash(name: &str, params: &Value) -> Read<Option<Method>> {
    let Some(question) = script_question(name) else { return Ok(None) };
    let script = Params::new(params, &["scripthash"])?.script_hash(0)?;
    Ok(Some(Method::Script { question, script, naming: Naming::Hash }))
}

fn script_pubkey(name: &str, params: &Value) -> Read<Option<Method>> {
    let Some(question) = script_question(name) else { return Ok(None) };
    let script = Params::new(params, &["spk"])?.script(0)?;
    Ok(Some(Method::Script { question, script, naming: Naming::Pubkey }))
}

fn outpoint(name: &str, params: &Value) -> Read<Option<Method>> {
    const WITH_HINT: &[&str] = &["tx_hash", "txout_idx", "spk_hint"];
    let names = match name {
        "get_status" | "subscribe" => WITH_HINT,
        "unsubscribe" => &WITH_HINT[..2],
        _ => return Ok(None),
    };
    let params = Params::new(params, names)?;
    let outpoint = OutPoint { txid: params.txid(0)?, vout: params.index(1)? };
    if names.len() == WITH_HINT.len() {
        // the protocol requires the script, though the index finds the output without it
        params.required(2)?;
        params.script(2)?;
    }
    Ok(Some(match name {
        "get_status" => Method::OutpointStatus(outpoint),
        "subscribe" => Method::OutpointSubscribe(outpoint),
        _ => Method::OutpointUnsubscribe(outpoint),
    }))
}

fn transaction(name: &str, params: &Value, version: Version) -> Read<Option<Method>> {
    Ok(Some(match name {
        "get" => {
            let params = Params::new(params, &["tx_hash", "verbose"])?;
            Method::Transaction { txid: params.txid(0)?, verbose: params.flag(1)? }
        }
        "get_merkle" => {
            let params = Params::new(params, &["tx_hash", "height"])?;
            Method::Merkle { txid: params.txid(0)?, height: params.optional_height(1)? }
        }
        "id_from_pos" => {
            let params = Params::new(params, &["height", "tx_pos", "merkle"])?;
            let (height, pos) = (params.height(0)?, params.index(1)?);
            Method::IdFromPosition { height, pos, merkle: params.flag(2)? }
        }
        "get_confirmed_blockhash" => {
            let params = Params::new(params, &["txid", "include_header"])?;
            let include_header = params.optional_flag(1)?;
            Method::ConfirmedBlockHash { txid: params.txid(0)?, include_header }
        }
        "broadcast" => Method::Broadcast(Params::new(params, &["raw_tx"])?.raw_transaction(0)?),
        "broadcast_package" => {
            let params = Params::new(params, &["raw_txs", "verbose"])?;
            let transactions = params.raw_transactions(0, MAX_PACKAGE_TRANSACTIONS)?;
            Method::BroadcastPackage { transactions, verbose: params.flag(1)? }
        }
        "testmempoolaccept" if version >= Version::V1_7 => {
            let params = Params::new(params, &["raw_txs"])?;
            Method::TestMempoolAccept(params.raw_transactions(0, MAX_PACKAGE_TRANSACTIONS)?)
        }
        _ => return Ok(None),
    }))
}

fn estimate_fee(params: &Value) -> Read<Method> {
    let params = Params::new(params, &["number", "mode"])?;
    let blocks = params.count(0)?;
    let mode = match params.optional(1) {
        None => None,
        Some(Value::String(word)) if word.eq_ignore_ascii_case("conservative") => {
            Some(FeeMode::Conservative)
        }
        Some(Value::String(word)) if word.eq_ignore_ascii_case("economical") => {
            Some(FeeMode::Economical)
        }
        Some(other) => {
            let text = format!("{} should be \"CONSERVATIVE\" or \"ECONOMICAL\"", shown(other));
            return Err(ErrorObject::bad_request(text));
        }
    };
    Ok(Method::EstimateFee { blocks, mode })
}

fn mempool(name: &str, version: Version) -> Option<Method> {
    match name {
        "get_info" => Some(Method::MempoolInfo),
        "get_fee_histogram" => Some(Method::FeeHistogram),
        "recent" if version >= Version::V1_7 => Some(Method::MempoolRecent),
        _ => None,
    }
}

fn server(name: &str, params: &Value, version: Version) -> Read<Option<Method>> {
    Ok(match name {
        "version" => Some(server_version(params)),
        "ping" if version >= Version::V1_7 => Some(ping(params)?),
        "ping" => Some(Method::Ping { pong_chars: None }),
        "features" => Some(Method::Features),
        "banner" => Some(Method::Banner),
        "donation_address" => Some(Method::DonationAddress),
        "peers.subscribe" => Some(Method::PeersSubscribe),
        "add_peer" => Some(Method::AddPeer),
        _ => None,
    })
}

fn ping(params: &Value) -> Read<Method> {
    let params = Params::new(params, &["pong_len", "data"])?;
    params.optional_digits(1)?;
    let pong_chars = params.optional_index(0)?.unwrap_or(0);
    if usize::try_from(pong_chars).is_ok_and(|chars| chars <= MAX_PONG_CHARS) {
        return Ok(Method::Ping { pong_chars: Some(pong_chars) });
    }
    Err(ErrorObject::bad_request(format!("pong_len {pong_chars} is too high")))
}

/// Reads `server.version`. Extra parameters are ignored: the protocol reserves them.
fn server_version(params: &Value) -> Method {
    let (client, asked) = match params {
        Value::Array(list) => (list.first(), list.get(1)),
        Value::Object(members) => (members.get("client_name"), members.get("protocol_version")),
        _ => (None, None),
    };
    let client = match client {
        Some(Value::String(name)) => {
            cut(&name.escape_debug().to_string(), MAX_CLIENT_NAME_CHARS).into_owned()
        }
        _ => String::new(),
    };
    Method::Version { client, version: negotiate(asked) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Whether `name` exists at 1.4, 1.4.2, 1.6 and 1.7.
    fn check(name: &str, expected: [bool; 4]) {
        let versions = ["1.4", "1.4.2", "1.6", "1.7"].map(Version::parse);
        let found = versions.map(|version| {
            let version = version.unwrap_or(Version::MAX);
            !matches!(method(name, &json!([]), version), Err(error) if error.code == UNKNOWN_METHOD)
        });
        assert_eq!(found, expected, "{name}");
    }

    #[test]
    fn every_method_at_its_versions() {
        let (all, none) = ([true; 4], [false; 4]);
        let (before_1_7, from_1_7) = ([true, true, true, false], [false, false, false, true]);
        for name in ["get_balance", "get_history", "get_mempool", "listunspent", "subscribe"] {
            check(&format!("blockchain.scripthash.{name}"), before_1_7);
            check(&format!("blockchain.scriptpubkey.{name}"), from_1_7);
        }
        check("blockchain.scripthash.unsubscribe", before_1_7);
        check("blockchain.scriptpubkey.unsubscribe", from_1_7);
        for name in ["subscribe", "unsubscribe", "get_status"] {
            check(&format!("blockchain.outpoint.{name}"), from_1_7);
        }
        check("blockchain.relayfee", [true, true, false, false]);
        check("blockchain.transaction.testmempoolaccept", from_1_7);
        check("mempool.recent", from_1_7);
        for name in ["get", "get_merkle", "id_from_pos", "broadcast", "broadcast_package"] {
            check(&format!("blockchain.transaction.{name}"), all);
        }
        for name in ["blockchain.block.header", "blockchain.block.headers"] {
            check(name, all);
        }
        for name in ["version", "ping", "features", "banner", "donation_address", "add_peer"] {
            check(&format!("server.{name}"), all);
        }
        for name in ["server.peers.subscribe", "mempool.get_info", "mempool.get_fee_histogram"] {
            check(name, all);
        }
        for name in ["", "server", "server.", "Server.ping", "blockchain.address.get_balance"] {
            check(name, none);
        }
    }
}
