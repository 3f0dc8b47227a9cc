//! Transactions that only bitcoind has: raw and decoded ones of the mempool.

use std::sync::Arc;

use bitcoin::Txid;
use bitcoin::hex::FromHex;
use serde_json::{Value, json};

use crate::node::calls::{NodeCalls, NodeError};

use super::answers::{Answer, QueryError};

/// bitcoind's code for a transaction that it does not know.
const NOT_FOUND: i64 = -5;

/// Asks bitcoind; `None` offline.
pub struct Unconfirmed {
    /// bitcoind.
    pub node: Option<Arc<dyn NodeCalls>>,
}

/// The error for a txid that nobody knows.
pub fn unknown(txid: &Txid) -> QueryError {
    QueryError::NotFound(format!("no such transaction in the chain or the mempool: {txid}"))
}

impl Unconfirmed {
    /// The serialised transaction.
    pub fn raw(&self, txid: &Txid) -> Answer<Vec<u8>> {
        let raw = self.ask(txid, vec![json!(txid.to_string())])?;
        let bytes = raw.as_str().and_then(|hex| Vec::from_hex(hex).ok());
        bytes.ok_or_else(|| QueryError::Node("bitcoind sent no transaction".into()))
    }

    /// The transaction decoded by bitcoind.
    pub fn verbose(&self, txid: &Txid) -> Answer<Value> {
        self.ask(txid, vec![json!(txid.to_string()), json!(true)])
    }

    fn ask(&self, txid: &Txid, params: Vec<Value>) -> Answer<Value> {
        let Some(node) = &self.node else { return Err(unknown(txid)) };
        node.call("getrawtransaction", params).map_err(|error| match error {
            NodeError::Refused { code: NOT_FOUND, .. } => unknown(txid),
            other => QueryError::Node(format!(
                "{txid} is not in the chain, and bitcoind cannot be asked for it: {other}"
            )),
        })
    }
}
