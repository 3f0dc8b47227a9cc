//! Turns typed results into JSON, in the shape of the negotiated version.

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};
use serde_json::json;

use crate::ids::{HeaderBytes, ScriptHash};
use crate::limits::{MAX_HEADERS_PER_REPLY, MAX_REPLY_BYTES};
use crate::live::tip::Tip;
use crate::protocol::json::{Json, push_hash, push_plain};
use crate::protocol::message::{ErrorObject, HISTORY_TOO_LONG, ReplyBody};
use crate::protocol::method::Naming;
use crate::protocol::version::Version;
use crate::query::answers::{
    Balance, Coin, Confirmation, HeaderProof, HistoryEntry, OutpointStatus, RecentTx, Status,
    StatusReport, TxProof,
};

/// Bytes of `{"height":1234567,"tx_hash":"…"},`.
const ENTRY_BYTES: usize = 10 + 7 + 11 + 66 + 2;
/// Bytes of an entry with `"tx_pos":12345,"value":2100000000000000`.
const COIN_BYTES: usize = ENTRY_BYTES + 10 + 5 + 9 + 16;
/// Room for what surrounds the list in a reply.
const REPLY_BYTES: usize = 128;

/// The height of a transaction in the protocol's terms: that of its block, 0 in the mempool, or -1
/// in the mempool with an unconfirmed input.
pub fn wire_height(confirmation: Confirmation) -> i64 {
    match confirmation {
        Confirmation::Block(height) => i64::from(height.0),
        Confirmation::Mempool => 0,
        Confirmation::MempoolChained => -1,
    }
}

/// A transaction id as a string.
pub fn txid(txid: &Txid) -> Json {
    Json::hash(txid.as_byte_array())
}

/// The hashes of a proof, leaf level first.
pub fn branch(branch: &[[u8; 32]]) -> Json {
    // a branch has one hash per level of the tree, so it never passes the limit
    Json::list(branch, MAX_REPLY_BYTES, push_hash).unwrap_or_else(Json::null)
}

/// `blockchain.block.header`
pub fn header(header: &HeaderBytes, proof: Option<&HeaderProof>) -> Json {
    match proof {
        None => Json::hex(header),
        Some(proof) => Json::object([
            ("branch", branch(&proof.branch)),
            ("header", Json::hex(header)),
            ("root", Json::hash(&proof.root)),
        ]),
    }
}

/// `blockchain.block.headers`: one string before 1.6, a list from then on.
pub fn headers(version: Version, headers: &[HeaderBytes], proof: Option<&HeaderProof>) -> Json {
    let count = headers.len() as u64;
    let mut fields = vec![("count", Json::int(count))];
    if version >= Version::V1_6 {
        let list = Json::list(headers, MAX_REPLY_BYTES, |out, header| {
            out.push_str(Json::hex(header).as_str());
        });
        fields.push(("headers", list.unwrap_or_else(Json::null)));
    } else {
        fields.push(("hex", Json::hex(headers.as_flattened())));
    }
    fields.push(("max", Json::int(MAX_HEADERS_PER_REPLY)));
    if let Some(HeaderProof { branch: siblings, root }) = proof {
        fields.push(("branch", branch(siblings)));
        fields.push(("root", Json::hash(root)));
    }
    Json::object_of(fields)
}

/// A block and its height: the result of `blockchain.headers.subscribe` and its notifications.
pub fn tip(tip: &Tip) -> Json {
    Json::object([("height", Json::int(tip.height.0)), ("hex", Json::hex(&tip.header))])
}

/// Bytes of a reply with a history of `count` entries; an unconfirmed entry takes a few more.
pub fn history_bytes(count: usize) -> usize {
    ENTRY_BYTES.saturating_mul(count).saturating_add(REPLY_BYTES)
}

/// Bytes of a reply with a list of `count` coins.
pub fn unspent_bytes(count: usize) -> usize {
    COIN_BYTES.saturating_mul(count).saturating_add(REPLY_BYTES)
}

/// The result of `get_history` and `get_mempool`; only unconfirmed entries have a fee.
///
/// # Errors
/// 10001 when the list is longer than an answer may be.
pub fn history(
    naming: Naming,
    count: usize,
    entries: impl Iterator<Item = HistoryEntry>,
) -> ReplyBody {
    let expected = history_bytes(count);
    let list = Json::long_list(entries, expected, MAX_REPLY_BYTES, |out, entry| {
        let height = wire_height(entry.confirmation);
        out.push('{');
        if let Some(fee) = entry.fee {
            push_plain(out, format_args!(r#""fee":{fee},"#));
        }
        push_plain(out, format_args!(r#""height":{height},"tx_hash":"#));
        push_hash(out, entry.txid.as_byte_array());
        out.push('}');
    });
    within(naming, "history", list)
}

/// The result of `listunspent`; a coin of the mempool has height 0, never -1.
///
/// # Errors
/// 10001 when the list is longer than an answer may be.
pub fn unspent(naming: Naming, count: usize, coins: impl Iterator<Item = Coin>) -> ReplyBody {
    let expected = unspent_bytes(count);
    let list = Json::long_list(coins, expected, MAX_REPLY_BYTES, |out, coin| {
        let Coin { outpoint: OutPoint { txid, vout }, height, value } = coin;
        let height = height.map_or(0, |height| height.0);
        push_plain(out, format_args!(r#"{{"height":{height},"tx_hash":"#));
        push_hash(out, txid.as_byte_array());
        push_plain(out, format_args!(r#","tx_pos":{vout},"value":{value}}}"#));
    });
    within(naming, "utxos", list)
}

/// Puts the list into an object, as answers about a script have it from 1.7 on.
fn within(naming: Naming, key: &str, list: Option<Json>) -> ReplyBody {
    let list = list.ok_or_else(|| {
        let megabytes = MAX_REPLY_BYTES >> 20;
        let text = format!("history too long: the answer would pass {megabytes} MiB");
        ErrorObject::new(HISTORY_TOO_LONG, text)
    })?;
    Ok(match naming {
        Naming::Hash => list,
        Naming::Pubkey => list.inside(key),
    })
}

/// The result of `get_balance`, in satoshi.
pub fn balance(balance: Balance) -> Json {
    let Balance { confirmed, unconfirmed } = balance;
    let fields = [("confirmed", Json::int(confirmed)), ("unconfirmed", Json::int(unconfirmed))];
    Json::object(fields)
}

/// The status of a script; shown as plain hexadecimal, not reversed.
pub fn status(status: Status) -> Json {
    status.map_or_else(Json::null, |hash| Json::hex(&hash))
}

/// The parameters of a status notification; they name the script by its hash in both families.
pub fn status_notice(naming: Naming, script: &ScriptHash, told: Status) -> (&str, Json) {
    let method = match naming {
        Naming::Hash => "blockchain.scripthash.subscribe",
        Naming::Pubkey => "blockchain.scriptpubkey.subscribe",
    };
    (method, Json::array([Json::hash(&script.0), status(told)]))
}

/// The status of an outpoint; an empty object if the outpoint is unknown.
pub fn outpoint(status: &OutpointStatus) -> Json {
    let mut fields = Vec::new();
    if let Some(funder) = status.funder {
        fields.push(("funder_height", Json::int(wire_height(funder))));
    }
    if let Some((spender, place)) = status.spender {
        fields.push(("spender_height", Json::int(wire_height(place))));
        fields.push(("spender_txhash", txid(&spender)));
    }
    Json::object_of(fields)
}

/// The parameters of an outpoint notification: txid and number of the output, then its status.
pub fn outpoint_notice(outpoint: &OutPoint, status: &OutpointStatus) -> Json {
    Json::array([txid(&outpoint.txid), Json::int(outpoint.vout), self::outpoint(status)])
}

/// `get_merkle`
pub fn merkle(proof: &TxProof) -> Json {
    Json::object([
        ("block_height", Json::int(proof.height.0)),
        ("merkle", branch(&proof.branch)),
        ("pos", Json::int(proof.pos)),
    ])
}

/// `id_from_pos` with its proof.
pub fn id_with_merkle(proof: &TxProof) -> Json {
    Json::object([("merkle", branch(&proof.branch)), ("tx_hash", txid(&proof.txid))])
}

/// `mempool.get_fee_histogram`: satoshi per virtual byte to one digit, and virtual bytes.
pub fn fee_histogram(bins: &[(u64, u64)]) -> Json {
    let list = Json::list(bins, MAX_REPLY_BYTES, |out, (tenths, vbytes)| {
        push_plain(out, format_args!("[{}.{},{vbytes}]", tenths / 10, tenths % 10));
    });
    list.unwrap_or_else(Json::null)
}

/// `mempool.recent`: the newest first.
pub fn recent(txs: &[RecentTx]) -> Json {
    let list = Json::list(txs, MAX_REPLY_BYTES, |out, tx| {
        let fields =
            [("fee", Json::int(tx.fee)), ("txid", txid(&tx.txid)), ("vsize", Json::int(tx.vsize))];
        out.push_str(Json::object(fields).as_str());
    });
    list.unwrap_or_else(Json::null)
}

/// `hekte.status`
pub fn status_report(report: &StatusReport) -> Json {
    let mut object = json!({
        "version": report.version,
        "phase": report.phase,
        "height": report.height,
        "target": report.target,
        "percent": report.percent,
        "seconds_in_phase": report.seconds_in_phase,
        "seconds_left": report.seconds_left,
        "bytes_per_second": report.bytes_per_second,
        "runs": report.runs,
        "synced": report.synced,
    });
    if let Some(trouble) = &report.trouble {
        object["trouble"] = json!(trouble);
    }
    Json::value(&object)
}

/// `server.ping`: nothing before 1.7, `chars` zeros from then on.
pub fn pong(chars: Option<u32>) -> Json {
    match chars.map(usize::try_from) {
        Some(Ok(chars)) => Json::object([("data", Json::text(&"0".repeat(chars)))]),
        _ => Json::null(),
    }
}
