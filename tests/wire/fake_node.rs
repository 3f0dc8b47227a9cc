//! A fake bitcoind that knows a few answers.

use std::sync::atomic::{AtomicBool, Ordering};

use hekte::node::calls::{NodeCalls, NodeError};
use serde_json::{Value, json};

use crate::fake::{COINBASE_1, RAW_1};

/// A node that knows a few answers.
#[derive(Default)]
pub struct FakeNode {
    pub away: AtomicBool,
}

impl NodeCalls for FakeNode {
    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, NodeError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(NodeError::Away("bitcoind does not answer".to_owned()));
        }
        let refuse =
            |code, message: &str| Err(NodeError::Refused { code, message: message.to_owned() });
        let text = match (method, &params[..]) {
            ("sendrawtransaction", [Value::String(raw)]) if raw == RAW_1 => {
                return Ok(json!(COINBASE_1));
            }
            ("sendrawtransaction", [Value::String(raw)]) if raw == "00" => {
                return refuse(-22, "TX decode failed. Make sure the tx has at least one input.");
            }
            ("sendrawtransaction", _) => {
                return refuse(-26, "min relay fee not met, 100 < 141");
            }
            ("submitpackage", [Value::Array(list)]) if list.len() == 2 => {
                r#"{"package_msg":"transaction failed",
                    "tx-results":{"w1":{"txid":"t1","error":"bad-txns"},"w2":{"txid":"t2"}}}"#
            }
            ("submitpackage", [Value::Array(list)]) if list.len() == 3 => {
                r#"{"package_msg":"success","tx-results":{}}"#
            }
            ("submitpackage", _) => return refuse(-32601, "Method not found"),
            ("testmempoolaccept", _) => {
                r#"[{"txid":"t1","wtxid":"w1","allowed":true,
                        "vsize":100,"fees":{"base":0.00000100}},
                    {"txid":"t2","wtxid":"w2","allowed":false,
                        "reject-reason":"dust","reject-details":"dust, too small"},
                    {"txid":"t3","wtxid":"w3","package-error":"package-not-sorted"}]"#
            }
            ("estimatesmartfee", [target, ..]) if *target == json!(1008) => {
                r#"{"errors":["Insufficient data or no feerate found"],"blocks":1008}"#
            }
            ("estimatesmartfee", [_, mode]) if *mode == json!("ECONOMICAL") => {
                r#"{"feerate":0.00001000,"blocks":2}"#
            }
            ("estimatesmartfee", _) => r#"{"feerate":0.00012340,"blocks":2}"#,
            ("getmempoolinfo", _) => {
                r#"{"loaded":true,"size":5,
                    "mempoolminfee":0.00000100,"minrelaytxfee":0.00000100,
                    "incrementalrelayfee":0.00000100}"#
            }
            _ => return refuse(-32601, "Method not found"),
        };
        Ok(serde_json::from_str(text).unwrap())
    }
}
