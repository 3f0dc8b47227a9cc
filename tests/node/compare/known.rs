//! The known differences between hekte and ElectrumX, with reasons, as listed in docs/protocol.md.

use serde_json::Value;

use super::pair::{Asked, Outcome, difference};

/// All reasons; one that no longer occurs must be removed here and in docs/protocol.md.
pub const REASONS: [&str; 12] = [
    EARLY, GENESIS, IDENTITY, NULL, SURPLUS, MERKLE, NUMBERS, MODE, INDEX, ACCEPT, DESC, HISTOGRAM,
];
const EARLY: &str = "methods that came later and harm nobody are served at every version";
const GENESIS: &str = "the first coinbase is in the block files, though bitcoind does not give it";
const IDENTITY: &str = "each says who it is";
const NULL: &str = "null counts as not given";
const SURPLUS: &str = "methods without parameters ignore what they are given";
const MERKLE: &str = "the height may be left out";
const NUMBERS: &str = "only whole numbers are numbers: no text, no fraction, no true";
const MODE: &str = "a mode that is none is an error, not the default";
const INDEX: &str = "an index beyond 32 bits is an error, not an unknown output";
const ACCEPT: &str = "a list that cannot be read is the client's mistake, as with a broadcast";
const DESC: &str = "a verbose transaction has no `desc`, which repeats the script";
const HISTOGRAM: &str = "the histogram is always fresh, and has the cheapest transactions, too";

/// The reason why these outcomes differ, if it is known.
pub fn reason(asked: &Asked) -> Option<&'static str> {
    let Asked { version, method, params, ours, theirs } = asked;
    let method = method.as_str();
    let values: Vec<Value> = match params {
        Value::Array(list) => list.clone(),
        Value::Object(members) => members.values().cloned().collect(),
        _ => Vec::new(),
    };
    let any = |is: fn(&Value) -> bool| values.iter().any(is);
    let (refused, their_code) =
        (*ours == Outcome::Error(1), |code| *theirs == Outcome::Error(code));
    let checks = [
        (EARLY, is_early(method) && *version < "1.6" && their_code(-32601)),
        (IDENTITY, ["server.features", "server.banner"].contains(&method)),
        (
            HISTOGRAM,
            method == "mempool.get_fee_histogram" && !ours.is_error() && !theirs.is_error(),
        ),
        (SURPLUS, takes_nothing(method, version) && !ours.is_error() && their_code(-32602)),
        (GENESIS, is_genesis(method, &values) && (theirs.is_error() || is_unknown(theirs))),
        (NULL, any(Value::is_null)),
        (MERKLE, method.ends_with("get_merkle") && values.len() == 1 && their_code(-32602)),
        (NUMBERS, refused && !theirs.is_error() && values.iter().any(is_like_a_number)),
        (MODE, refused && !theirs.is_error() && method == "blockchain.estimatefee"),
        (INDEX, refused && method.contains(".outpoint.") && any(|v| v.to_string().len() > 9)),
        (ACCEPT, refused && their_code(2) && method.ends_with("testmempoolaccept")),
        (DESC, method == "blockchain.transaction.get" && only_desc(ours, theirs)),
    ];
    checks.into_iter().find(|(_, applies)| *applies).map(|(reason, _)| reason)
}

fn is_early(method: &str) -> bool {
    ["scripthash.unsubscribe", "mempool.get_info", "broadcast_package"]
        .iter()
        .any(|name| method.ends_with(name))
}

fn takes_nothing(method: &str, version: &str) -> bool {
    let names =
        ["headers.subscribe", "relayfee", "get_info", "get_fee_histogram", "recent", "add_peer"];
    let more = ["donation_address", "peers.subscribe"];
    names.iter().chain(&more).any(|name| method.ends_with(name))
        || (method == "server.ping" && version != "1.7")
}

/// Whether the question is about the only transaction of the first block.
fn is_genesis(method: &str, values: &[Value]) -> bool {
    let txid = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b";
    values.iter().any(|value| value == txid)
        || (method.ends_with("id_from_pos") && values.first().is_some_and(|height| *height == 0))
}

/// Whether this is the status of an unknown output.
fn is_unknown(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Result(Value::Object(members)) if members.is_empty())
}

/// Whether Python's int() accepts the value.
fn is_like_a_number(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()),
        Value::Number(number) => number.to_string().contains('.'),
        Value::Bool(flag) => *flag,
        _ => false,
    }
}

fn only_desc(ours: &Outcome, theirs: &Outcome) -> bool {
    let (Outcome::Result(ours), Outcome::Result(theirs)) = (ours, theirs) else { return false };
    difference(&without_desc(ours), &without_desc(theirs)).is_none()
}

fn without_desc(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(without_desc).collect(),
        Value::Object(members) => {
            let others = members.iter().filter(|(name, _)| *name != "desc");
            others.map(|(name, value)| (name.clone(), without_desc(value))).collect()
        }
        other => other.clone(),
    }
}
