//! bitcoind's calls about single transactions and fees, with typed results.

use bitcoin::Txid;
use bitcoin::hex::FromHex;
use serde_json::{Value, json};

use super::calls::{NodeCalls, NodeError};

/// A fee rate in bitcoin per 1000 virtual bytes, with the digits that bitcoind wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeeRate(String);

impl FeeRate {
    /// The rate as decimal digits.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// The rate in the field `name` of bitcoind's answer; `None` if the field holds no number.
    fn of(answer: &Value, name: &str) -> Option<FeeRate> {
        answer.get(name).filter(|rate| rate.is_number()).map(|rate| FeeRate(rate.to_string()))
    }
}

/// The fee rates that bitcoind's mempool requires; `None` for a rate that bitcoind does not report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MempoolFees {
    /// The rate that a replacement must pay for its own size.
    pub incremental_relay: Option<FeeRate>,
    /// The rate below which no transaction is accepted while the mempool is as full as now.
    pub mempool_min: Option<FeeRate>,
    /// The rate below which no transaction is ever accepted.
    pub min_relay: Option<FeeRate>,
}

/// bitcoind's answer about a package of transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageResult {
    /// Whether the whole package is in the mempool.
    pub success: bool,
    /// The transactions that were refused.
    pub refused: Vec<RefusedTx>,
    /// bitcoind's whole answer as JSON text, for clients that want it unchanged.
    pub whole: String,
}

/// A transaction of a package that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedTx {
    /// Its txid, if bitcoind reports it.
    pub txid: Option<String>,
    /// The reason for the refusal.
    pub error: String,
}

/// bitcoind's answer about a transaction that it tested without accepting it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Its txid, if bitcoind reports it.
    pub txid: Option<String>,
    /// Its wtxid, the hash that covers the witness, if bitcoind reports it.
    pub wtxid: Option<String>,
    /// Whether it would be accepted; `None` if bitcoind stopped before it tested this transaction.
    pub allowed: Option<bool>,
    /// The most specific reason for a refusal that bitcoind reports.
    pub reason: Option<String>,
}

/// Sends a transaction, in hexadecimal, to bitcoind's mempool.
///
/// # Errors
/// When bitcoind refuses it, cannot be reached, or answers with something other than a txid.
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

/// Asks whether bitcoind would accept these transactions, in hexadecimal.
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

/// The fee rate at which a transaction is likely to be confirmed within `blocks` blocks; `mode` is
/// a word of `estimatesmartfee`. `None` if bitcoind gives reasons instead of a rate.
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

/// The fee rates that the mempool requires now.
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

/// The error for an answer of bitcoind that lacks a field that its documentation promises.
pub fn unexpected_answer(method: &str) -> NodeError {
    NodeError::Away(format!("bitcoind gave a strange answer to {method}"))
}

fn text(answer: &Value, name: &str) -> Option<String> {
    answer.get(name).and_then(Value::as_str).map(str::to_owned)
}
