//! Typed results to JSON, in the shape of the negotiated version.

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};

use crate::ids::{HeaderBytes, Height, ScriptHash};
use crate::limits::{MAX_HEADERS_PER_REPLY, MAX_REPLY_BYTES};
use crate::protocol::json::{Json, push_hash, push_plain};
use crate::protocol::message::{ErrorObject, HISTORY_TOO_LONG};
use crate::protocol::method::Naming;
use crate::protocol::version::Version;
use crate::query::answers::RecentTx;

/// `{"height":1234567,"tx_hash":"…"},`
const ENTRY_BYTES: usize = 10 + 7 + 11 + 66 + 2;
/// The same with `"tx_pos":12345,"value":2100000000000000`.
const COIN_BYTES: usize = ENTRY_BYTES + 10 + 5 + 9 + 16;
/// What surrounds them.
const REPLY_BYTES: usize = 128;

/// A list that may turn out too long to send.
pub type Listed = Result<Json, ErrorObject>;

/// Siblings and root of a header proof, internal byte order.
pub type Proof<'a> = (&'a [[u8; 32]], &'a [u8; 32]);

/// A transaction id as a string.
pub fn txid(txid: &Txid) -> Json {
    Json::hash(txid.as_byte_array())
}

/// The hashes of a proof, leaf level first.
pub fn branch(branch: &[[u8; 32]]) -> Json {
    // a branch is as long as a tree is high
    Json::list(branch, MAX_REPLY_BYTES, push_hash).unwrap_or_else(Json::null)
}

/// `blockchain.block.header`
pub fn header(header: &HeaderBytes, proof: Option<Proof<'_>>) -> Json {
    match proof {
        None => Json::hex(header),
        Some((siblings, root)) => Json::object([
            ("branch", branch(siblings)),
            ("header", Json::hex(header)),
            ("root", Json::hash(root)),
        ]),
    }
}

/// `blockchain.block.headers`: one string before 1.6, a list from then on.
pub fn headers(version: Version, headers: &[HeaderBytes], proof: Option<Proof<'_>>) -> Json {
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
    if let Some((siblings, root)) = proof {
        fields.push(("branch", branch(siblings)));
        fields.push(("root", Json::hash(root)));
    }
    Json::object_of(fields)
}

/// A block and its height: the result of `blockchain.headers.subscribe` and its notifications.
pub fn tip(height: Height, header: &HeaderBytes) -> Json {
    Json::object([("height", Json::int(height.0)), ("hex", Json::hex(header))])
}

/// Bytes of a history of so many entries, with what belongs to the reply; those of the mempool take
/// a few more.
pub fn history_bytes(count: usize) -> usize {
    ENTRY_BYTES.saturating_mul(count).saturating_add(REPLY_BYTES)
}

/// The same for a list of coins.
pub fn unspent_bytes(count: usize) -> usize {
    COIN_BYTES.saturating_mul(count).saturating_add(REPLY_BYTES)
}

/// `get_history` and `get_mempool`: transaction, height as on the wire, fee of unconfirmed ones.
///
/// # Errors
/// 10001 when the list is longer than an answer may be.
pub fn history(
    naming: Naming,
    count: usize,
    entries: impl Iterator<Item = (Txid, i64, Option<u64>)>,
) -> Listed {
    let expected = history_bytes(count);
    let list = Json::long_list(entries, expected, MAX_REPLY_BYTES, |out, (txid, height, fee)| {
        out.push('{');
        if let Some(fee) = fee {
            push_plain(out, format_args!(r#""fee":{fee},"#));
        }
        push_plain(out, format_args!(r#""height":{height},"tx_hash":"#));
        push_hash(out, txid.as_byte_array());
        out.push('}');
    });
    within(naming, "history", list)
}

/// `listunspent`: outpoint, height of its block or 0 in the mempool, satoshi.
///
/// # Errors
/// 10001 when the list is longer than an answer may be.
pub fn unspent(
    naming: Naming,
    count: usize,
    coins: impl Iterator<Item = (OutPoint, u32, u64)>,
) -> Listed {
    let expected = unspent_bytes(count);
    let list =
        Json::long_list(coins, expected, MAX_REPLY_BYTES, |out, (outpoint, height, value)| {
            let OutPoint { txid, vout } = outpoint;
            push_plain(out, format_args!(r#"{{"height":{height},"tx_hash":"#));
            push_hash(out, txid.as_byte_array());
            push_plain(out, format_args!(r#","tx_pos":{vout},"value":{value}}}"#));
        });
    within(naming, "utxos", list)
}

/// From 1.7 on lists about a script stand in an object.
fn within(naming: Naming, key: &str, list: Option<Json>) -> Listed {
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

/// `get_balance`, satoshi.
pub fn balance(confirmed: u64, unconfirmed: i64) -> Json {
    let fields = [("confirmed", Json::int(confirmed)), ("unconfirmed", Json::int(unconfirmed))];
    Json::object(fields)
}

/// The status of a script; shown as plain hexadecimal, not reversed.
pub fn status(status: Option<[u8; 32]>) -> Json {
    status.map_or_else(Json::null, |hash| Json::hex(&hash))
}

/// The parameters of a status notification; they name the script by its hash in both families.
pub fn status_notice(naming: Naming, script: &ScriptHash, told: Option<[u8; 32]>) -> (&str, Json) {
    let method = match naming {
        Naming::Hash => "blockchain.scripthash.subscribe",
        Naming::Pubkey => "blockchain.scriptpubkey.subscribe",
    };
    (method, Json::array([Json::hash(&script.0), status(told)]))
}

/// Status of an outpoint: heights as on the wire; empty if it is unknown.
pub fn outpoint(funder: Option<i64>, spender: Option<(Txid, i64)>) -> Json {
    let mut fields = Vec::new();
    if let Some(height) = funder {
        fields.push(("funder_height", Json::int(height)));
    }
    if let Some((spender, height)) = spender {
        fields.push(("spender_height", Json::int(height)));
        fields.push(("spender_txhash", txid(&spender)));
    }
    Json::object_of(fields)
}

/// The parameters of an outpoint notification: flat, the status last.
pub fn outpoint_notice(outpoint: &OutPoint, status: Json) -> Json {
    Json::array([txid(&outpoint.txid), Json::int(outpoint.vout), status])
}

/// `get_merkle`
pub fn merkle(height: Height, pos: u32, siblings: &[[u8; 32]]) -> Json {
    Json::object([
        ("block_height", Json::int(height.0)),
        ("merkle", branch(siblings)),
        ("pos", Json::int(pos)),
    ])
}

/// `id_from_pos` with its proof.
pub fn id_with_merkle(id: &Txid, siblings: &[[u8; 32]]) -> Json {
    Json::object([("merkle", branch(siblings)), ("tx_hash", txid(id))])
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

/// `server.ping`: nothing before 1.7, so many zeros from then on.
pub fn pong(chars: Option<u32>) -> Json {
    match chars.map(usize::try_from) {
        Some(Ok(chars)) => Json::object([("data", Json::text(&"0".repeat(chars)))]),
        _ => Json::null(),
    }
}
