//! bitcoind's calls about single transactions and fees, typed: sent, tested, fetched, estimated.

use bitcoin::Txid;
use bitcoin::hex::FromHex;
use serde_json::{Value, json};

use super::calls::{NodeCalls, NodeError};

/// A fee rate in bitcoin per 1000 virtual bytes, in the digits in which bitcoind wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeRate(String);

impl FeeRate {
    /// The decimal digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The number under `name` in an answer of bitcoind; `None` if there is none.
    fn of(answer: &Value, name: &str) -> Option<FeeRate> {
        answer.get(name).filter(|rate| rate.is_number()).map(|rate| FeeRate(rate.to_string()))
    }
}

/// The fee rates that bitcoind's mempool demands; `None` where bitcoind does not name one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MempoolFees {
    /// What a replacement must pay for its own bytes.
    pub incremental_relay: Option<FeeRate>,
    /// Below this rate no transaction is taken while the mempool is as full as it is now.
    pub mempool_min: Option<FeeRate>,
    /// Below this rate no transaction is ever taken.
    pub min_relay: Option<FeeRate>,
}

/// What bitcoind says of a package of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageResult {
    /// Whether all of it is in the mempool.
    pub success: bool,
    /// The transactions that were refused.
    pub refused: Vec<RefusedTx>,
    /// bitcoind's whole answer as JSON text, for clients that want it as it is.
    pub whole: String,
}

/// A transaction of a package that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedTx {
    /// Its txid, if bitcoind gives it.
    pub txid: Option<String>,
    /// Why it was refused.
    pub error: String,
}

/// What bitcoind says of a transaction that it tests without taking it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// The txid.
    pub txid: Option<String>,
    /// The hash over the witness, too.
    pub wtxid: Option<String>,
    /// `None` where bitcoind stopped before it tested this transaction.
    pub allowed: Option<bool>,
    /// bitcoind's most telling reason for a refusal.
    pub reason: Option<String>,
}

/// Sends a transaction, in hexadecimal, to bitcoind's mempool.
///
/// # Errors
/// When bitcoind refuses it, cannot be asked, or answers with something else than a txid.
pub fn send(node: &dyn NodeCalls, transaction: &str) -> Result<Txid, NodeError> {
    let answer = node.call("sendrawtransaction", vec![json!(transaction)])?;
    let txid = answer.as_str().and_then(|text| text.parse().ok());
    txid.ok_or_else(|| unexpected_answer("sendrawtransaction"))
}

/// Sends transactions, in hexadecimal, that are only acceptable together.
///
/// # Errors
/// When bitcoind refuses the whole list or cannot be asked.
pub fn submit_package(
    node: &dyn NodeCalls,
    transactions: &[String],
) -> Result<PackageResult, NodeError> {
    let answer = node.call("submitpackage", vec![json!(transactions)])?;
    let results = answer.get("tx-results").and_then(Value::as_object);
    let refused = |one: &Value| {
        let error = one.get("error")?;
        let words = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
        Some(RefusedTx { txid: text(one, "txid"), error: words })
    };
    Ok(PackageResult {
        success: answer.get("package_msg").and_then(Value::as_str) == Some("success"),
        refused: results.into_iter().flat_map(|all| all.values()).filter_map(refused).collect(),
        whole: answer.to_string(),
    })
}

/// Asks whether bitcoind would take these transactions, in hexadecimal.
///
/// # Errors
/// When bitcoind refuses the whole list, cannot be asked, or does not answer with a list.
pub fn test_accept(
    node: &dyn NodeCalls,
    transactions: &[String],
) -> Result<Vec<Acceptance>, NodeError> {
    let answer = node.call("testmempoolaccept", vec![json!(transactions)])?;
    let results = answer.as_array().ok_or_else(|| unexpected_answer("testmempoolaccept"))?;
    let reasons = ["package-error", "reject-details", "reject-reason"];
    let acceptance = |one: &Value| Acceptance {
        txid: text(one, "txid"),
        wtxid: text(one, "wtxid"),
        allowed: one.get("allowed").and_then(Value::as_bool),
        reason: reasons.iter().filter_map(|name| text(one, name)).find(|text| !text.is_empty()),
    };
    Ok(results.iter().map(acceptance).collect())
}

/// The fee rate with which a transaction is likely to be confirmed within `blocks` blocks; `mode`
/// is a word of `estimatesmartfee`. `None` where bitcoind gives reasons instead of a figure.
///
/// # Errors
/// When bitcoind refuses the question or cannot be asked.
pub fn estimate_fee(
    node: &dyn NodeCalls,
    blocks: u32,
    mode: Option<&str>,
) -> Result<Option<FeeRate>, NodeError> {
    let mut params = vec![json!(blocks)];
    params.extend(mode.map(Value::from));
    let answer = node.call("estimatesmartfee", params)?;
    Ok(FeeRate::of(&answer, "feerate"))
}

/// The fee rates that the mempool demands now.
///
/// # Errors
/// When bitcoind refuses the question or cannot be asked.
pub fn mempool_fees(node: &dyn NodeCalls) -> Result<MempoolFees, NodeError> {
    let answer = node.call("getmempoolinfo", Vec::new())?;
    Ok(MempoolFees {
        incremental_relay: FeeRate::of(&answer, "incrementalrelayfee"),
        mempool_min: FeeRate::of(&answer, "mempoolminfee"),
        min_relay: FeeRate::of(&answer, "minrelaytxfee"),
    })
}

/// The serialised transaction; `None` if bitcoind's answer holds none.
///
/// # Errors
/// When bitcoind does not know the transaction or cannot be asked.
pub fn raw(node: &dyn NodeCalls, txid: &Txid) -> Result<Option<Vec<u8>>, NodeError> {
    let answer = node.call("getrawtransaction", vec![json!(txid.to_string())])?;
    Ok(answer.as_str().and_then(|hex| Vec::from_hex(hex).ok()))
}

/// The transaction decoded by bitcoind, as JSON text.
///
/// # Errors
/// When bitcoind does not know the transaction or cannot be asked.
pub fn decoded(node: &dyn NodeCalls, txid: &Txid) -> Result<String, NodeError> {
    let params = vec![json!(txid.to_string()), json!(true)];
    node.call("getrawtransaction", params).map(|answer| answer.to_string())
}

/// The error for an answer of bitcoind that lacks what its documentation promises.
pub fn unexpected_answer(method: &str) -> NodeError {
    NodeError::Away(format!("bitcoind gave a strange answer to {method}"))
}

fn text(answer: &Value, name: &str) -> Option<String> {
    answer.get(name).and_then(Value::as_str).map(str::to_owned)
}
