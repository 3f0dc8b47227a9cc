//! The answers to questions that only bitcoind can answer, in the shape of the Electrum protocol.

use crate::node::transactions::{Acceptance, FeeRate, MempoolFees, PackageResult};
use crate::protocol::json::Json;
use crate::protocol::message::{ErrorObject, NODE_ERROR, ReplyBody};
use crate::protocol::reply;
use crate::query::relay::{FeeMode, Relay, RelayError};

/// `blockchain.transaction.broadcast`
pub fn broadcast(relay: &Relay, transaction: &str) -> ReplyBody {
    let txid = relay.broadcast(transaction).map_err(|error| refused("transaction", error))?;
    Ok(reply::txid(&txid))
}

/// `blockchain.transaction.broadcast_package`; a verbose answer is bitcoind's own.
pub fn broadcast_package(relay: &Relay, transactions: &[String], verbose: bool) -> ReplyBody {
    let result =
        relay.broadcast_package(transactions).map_err(|error| refused("package", error))?;
    let PackageResult { success, refused, whole } = result;
    if verbose {
        return Ok(Json::ready(whole));
    }
    let mut fields = vec![("success", Json::bool(success))];
    if !refused.is_empty() {
        let errors = refused.iter().map(|one| {
            let txid = one.txid.as_deref().map_or_else(Json::null, Json::text);
            Json::object([("error", Json::text(&one.error)), ("txid", txid)])
        });
        fields.push(("errors", Json::array_of(errors)));
    }
    Ok(Json::object_of(fields))
}

/// `blockchain.transaction.testmempoolaccept`
pub fn test_mempool_accept(relay: &Relay, transactions: &[String]) -> ReplyBody {
    let tested = relay.test_mempool_accept(transactions);
    let tested = tested.map_err(|error| refused("list of transactions", error))?;
    Ok(Json::array_of(tested.iter().map(acceptance)))
}

/// One result of an acceptance test: no `allowed` where bitcoind stopped before testing.
fn acceptance(tested: &Acceptance) -> Json {
    let text = |text: &Option<String>| text.as_deref().map(Json::text);
    let fields = [
        ("allowed", tested.allowed.map(Json::bool)),
        ("reason", text(&tested.reason)),
        ("txid", text(&tested.txid)),
        ("wtxid", text(&tested.wtxid)),
    ];
    present(fields)
}

/// `blockchain.estimatefee`; -1 says that bitcoind knows no figure.
pub fn estimate_fee(relay: &Relay, blocks: u32, mode: Option<FeeMode>) -> ReplyBody {
    let rate = relay.estimate_fee(blocks, mode).map_err(no_answer)?;
    Ok(rate.as_ref().map_or_else(|| Json::int(-1), number))
}

/// `blockchain.relayfee`
pub fn relay_fee(relay: &Relay) -> ReplyBody {
    relay.relay_fee().map(|rate| number(&rate)).map_err(no_answer)
}

/// `mempool.get_info`, with the rates that bitcoind names.
pub fn mempool_info(relay: &Relay) -> ReplyBody {
    let MempoolFees { incremental_relay, mempool_min, min_relay } =
        relay.mempool_fees().map_err(no_answer)?;
    let rate = |rate: Option<FeeRate>| rate.as_ref().map(number);
    Ok(present([
        ("incrementalrelayfee", rate(incremental_relay)),
        ("mempoolminfee", rate(mempool_min)),
        ("minrelaytxfee", rate(min_relay)),
    ]))
}

/// An object of those fields that have a value.
fn present<const N: usize>(fields: [(&str, Option<Json>); N]) -> Json {
    Json::object_of(fields.into_iter().filter_map(|(name, value)| Some((name, value?))))
}

fn number(rate: &FeeRate) -> Json {
    Json::ready(rate.digits().to_owned())
}

/// bitcoind's refusal in words that wallets show to their users; code 1 as in ElectrumX.
fn refused(what: &str, error: RelayError) -> ErrorObject {
    match error {
        RelayError::Rejected(message) => ErrorObject::bad_request(format!(
            "the {what} was rejected by network rules.\n\n{message}"
        )),
        error => no_answer(error),
    }
}

fn no_answer(error: RelayError) -> ErrorObject {
    ErrorObject::new(NODE_ERROR, error.to_string())
}
