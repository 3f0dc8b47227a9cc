//! bitcoind's RPC as the serving side uses it: a call is answered, refused, or fails.

use serde_json::Value;

/// Why bitcoind gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// bitcoind answered with an error.
    #[error("{message} (code {code})")]
    Refused {
        /// The code of its RPC error.
        code: i64,
        /// The message of its RPC error.
        message: String,
    },
    /// There was no connection, no login or no valid answer; the text says which, worded for
    /// clients.
    #[error("{0}")]
    Away(String),
}

/// A connection to bitcoind's RPC. Calls block, so they stay off async tasks.
pub trait NodeCalls: Send + Sync {
    /// Calls `method` with positional `params` and returns its `result`.
    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, NodeError>;
}
