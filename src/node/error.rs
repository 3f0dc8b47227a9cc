//! Why bitcoind gives no result, grouped by what to do: wait, fix the login, fix a setting.

use log::debug;

use super::calls::NodeError;
use crate::error::Error;

/// Why a call has no result. The texts name the address or file and say what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RpcError {
    /// No connection, or no answer in time: bitcoind is down, restarting or overloaded.
    #[error("{0}")]
    Away(String),
    /// Our cookie or password is missing, not readable or not accepted.
    #[error("{0}")]
    Auth(String),
    /// bitcoind is up and still loading (its code -28): ask again soon.
    #[error("bitcoind is starting: {0}")]
    WarmingUp(String),
    /// bitcoind answered this method with an error.
    #[error("bitcoind answers {method} with: {message} (code {code})")]
    Method { method: String, code: i64, message: String },
    /// bitcoind does not let us use this method, or does not talk to this address.
    #[error("{text}")]
    Forbidden { method: String, text: String },
    /// The answer is not one of a bitcoind, or is too long.
    #[error("{0}")]
    Protocol(String),
}

impl RpcError {
    /// True if bitcoind has no such method or does not let us use it.
    pub fn is_refused_method(&self) -> bool {
        matches!(self, RpcError::Forbidden { .. } | RpcError::Method { code: -32601, .. })
    }

    /// True if the method takes other arguments, as in an older bitcoind, which then answers with
    /// its help.
    pub fn is_misuse(&self) -> bool {
        matches!(self, RpcError::Method { code: -1, .. })
    }
}

impl From<RpcError> for Error {
    fn from(error: RpcError) -> Error {
        match error {
            RpcError::Away(_) | RpcError::WarmingUp(_) => Error::Away(error.to_string()),
            RpcError::Auth(text) => Error::NoPermission(text),
            other => Error::Unavailable(other.to_string()),
        }
    }
}

/// The error that clients see. They are strangers, so it has no address, no path and no user.
impl From<RpcError> for NodeError {
    fn from(error: RpcError) -> NodeError {
        debug!("a client is told less than: {error}");
        let away = |text: &str| NodeError::Away(text.into());
        match error {
            RpcError::Method { code, message, .. } => NodeError::Refused { code, message },
            RpcError::Forbidden { method, .. } => NodeError::Refused {
                code: -32601,
                message: format!("{method} is not allowed to this server"),
            },
            RpcError::Away(_) => away("bitcoind does not answer"),
            RpcError::Auth(_) => away("bitcoind does not accept this server's login"),
            RpcError::WarmingUp(_) => away("bitcoind is starting"),
            RpcError::Protocol(_) => away("bitcoind's answer cannot be read"),
        }
    }
}
