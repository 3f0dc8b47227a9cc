//! What the wire side asks of bitcoind: one call, answered or refused or not reachable.

use serde_json::Value;

/// Why bitcoind gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// bitcoind answered with an error.
    #[error("{message} (code {code})")]
    Refused {
        /// Its RPC error code.
        code: i64,
        /// Its words.
        message: String,
    },
    /// No connection, no login, no sensible answer; the text says which, in words for clients.
    #[error("{0}")]
    Away(String),
}

/// A connection to bitcoind's RPC. Calls block, so they stay off async tasks.
pub trait NodeCalls: Send + Sync {
    /// Calls `method` with positional `params` and gives its `result`.
    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, NodeError>;
}
