//! Questions that only bitcoind can answer: broadcasting and fees.

use serde_json::Value;

use crate::node::calls::NodeError;
use crate::protocol::json::Json;
use crate::protocol::message::{ErrorObject, NODE_ERROR};
use crate::protocol::method::FeeMode;
use crate::session::dispatch::Outcome;
use crate::session::fees::FeeQuestion;
use crate::session::talk::Session;

/// bitcoind's range for estimates, in blocks.
const ESTIMATE_BLOCKS: (u32, u32) = (1, 1008);
/// bitcoind's codes for "this transaction is not acceptable": undecodable, refused by consensus
/// or policy, already confirmed (RPC_DESERIALIZATION_ERROR to RPC_VERIFY_ALREADY_IN_UTXO_SET),
/// and a package of the wrong form (RPC_INVALID_PARAMETER).
const UNACCEPTABLE: [i64; 5] = [-22, -25, -26, -27, -8];

impl Session {
    /// Asks bitcoind, if there is one.
    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, NodeError> {
        match &self.shared.node {
            Some(node) => node.call(method, params),
            None => Err(NodeError::Away(
                "hekte runs with --offline and does not ask bitcoind".to_owned(),
            )),
        }
    }

    pub(super) fn broadcast(&self, transaction: &str) -> Outcome {
        let txid = self
            .call("sendrawtransaction", vec![Value::from(transaction)])
            .map_err(|error| rejected("transaction", error))?;
        self.shared.answers.mempool_changed();
        Ok(Json::value(&txid))
    }

    pub(super) fn broadcast_package(&self, transactions: &[String], verbose: bool) -> Outcome {
        let result = self
            .call("submitpackage", vec![Value::from(transactions)])
            .map_err(|error| rejected("package", error))?;
        self.shared.answers.mempool_changed();
        if verbose {
            return Ok(Json::value(&result));
        }
        let success = result.get("package_msg").and_then(Value::as_str) == Some("success");
        let results = result.get("tx-results").and_then(Value::as_object);
        let errors: Vec<Value> = results
            .into_iter()
            .flat_map(|results| results.values())
            .filter_map(|one| {
                let error = one.get("error")?;
                Some(serde_json::json!({ "txid": one.get("txid"), "error": error }))
            })
            .collect();
        let mut fields = vec![("success", Json::bool(success))];
        if !errors.is_empty() {
            fields.push(("errors", Json::value(&Value::from(errors))));
        }
        Ok(Json::object_of(fields))
    }

    pub(super) fn test_mempool_accept(&self, transactions: &[String]) -> Outcome {
        let results = self
            .call("testmempoolaccept", vec![Value::from(transactions)])
            .map_err(|error| rejected("list of transactions", error))?;
        let results = results.as_array().ok_or_else(|| strange("testmempoolaccept"))?;
        Ok(Json::value(&results.iter().map(acceptance).collect()))
    }

    pub(super) fn estimate_fee(&self, blocks: u32, mode: Option<FeeMode>) -> Outcome {
        let blocks = blocks.clamp(ESTIMATE_BLOCKS.0, ESTIMATE_BLOCKS.1);
        let mut params = vec![Value::from(blocks)];
        params.extend(mode.map(|mode| Value::from(mode.word())));
        let question = FeeQuestion::Estimate(blocks, mode);
        let answer = self.fees(question, "estimatesmartfee", params)?;
        // without a figure bitcoind gives a list of reasons; -1 says "unknown" on the wire
        Ok(answer.get("feerate").map_or_else(|| Json::int(-1), Json::value))
    }

    pub(super) fn relay_fee(&self) -> Outcome {
        let info = self.fees(FeeQuestion::MempoolInfo, "getmempoolinfo", Vec::new())?;
        let fee = info.get("minrelaytxfee").ok_or_else(|| strange("getmempoolinfo"))?;
        Ok(Json::value(fee))
    }

    pub(super) fn mempool_info(&self) -> Outcome {
        let info = self.fees(FeeQuestion::MempoolInfo, "getmempoolinfo", Vec::new())?;
        let fields = ["incrementalrelayfee", "mempoolminfee", "minrelaytxfee"];
        let fields =
            fields.into_iter().filter_map(|name| Some((name, Json::value(info.get(name)?))));
        Ok(Json::object_of(fields))
    }

    fn fees(
        &self,
        question: FeeQuestion,
        method: &str,
        params: Vec<Value>,
    ) -> Result<Value, ErrorObject> {
        let tip = self.shared.answers.tip().header;
        let answer = self.shared.fees.get(question, &tip, || self.call(method, params));
        answer.map_err(away)
    }
}

/// One result of an acceptance test in the protocol's shape: no `allowed` where bitcoind stopped
/// before testing, and its most telling reason.
fn acceptance(result: &Value) -> Value {
    let mut shaped = serde_json::Map::new();
    for name in ["txid", "wtxid", "allowed"] {
        if let Some(value) = result.get(name) {
            shaped.insert(name.to_owned(), value.clone());
        }
    }
    let reasons = ["package-error", "reject-details", "reject-reason"];
    let reason = reasons.iter().filter_map(|name| result.get(name)?.as_str());
    if let Some(reason) = reason.into_iter().find(|reason| !reason.is_empty()) {
        shaped.insert("reason".to_owned(), Value::from(reason));
    }
    Value::Object(shaped)
}

/// bitcoind's refusal in words that wallets show to their users; code 1 as in ElectrumX.
fn rejected(what: &str, error: NodeError) -> ErrorObject {
    match error {
        NodeError::Refused { code, message } if UNACCEPTABLE.contains(&code) => {
            ErrorObject::bad_request(format!(
                "the {what} was rejected by network rules.\n\n{message}"
            ))
        }
        error => away(error),
    }
}

fn away(error: NodeError) -> ErrorObject {
    let text = match error {
        NodeError::Refused { .. } => format!("bitcoind: {error}"),
        NodeError::Away(text) => text,
    };
    ErrorObject::new(NODE_ERROR, text)
}

fn strange(method: &str) -> ErrorObject {
    ErrorObject::new(NODE_ERROR, format!("bitcoind gave a strange answer to {method}"))
}
