//! The protocol's errors for questions that get no answer.

use crate::protocol::message::{
    self, BUSY, ErrorObject, HISTORY_TOO_LONG, INTERNAL, LIMIT, NODE_ERROR,
};
use crate::query::answers::QueryError;

/// The protocol's error for a failed question.
pub fn wire_error(error: QueryError) -> ErrorObject {
    let code = match &error {
        QueryError::Building | QueryError::Internal(_) => INTERNAL,
        QueryError::BadRequest(_) => message::BAD_REQUEST,
        QueryError::NotFound(_) | QueryError::Node(_) => NODE_ERROR,
        QueryError::TooLong(_) | QueryError::TooSlow(_) => HISTORY_TOO_LONG,
        QueryError::Busy => BUSY,
    };
    ErrorObject::new(code, error.to_string())
}

/// The error for a reply that gets no memory, because replies that are being made or wait to be
/// read hold all of it, or all of the client's own share.
pub fn no_reply_memory() -> ErrorObject {
    ErrorObject::new(BUSY, "server busy: too many large replies are waiting")
}

/// The error for a client that watches as many of `what` as it may.
pub fn client_full(max: usize, what: &str) -> ErrorObject {
    ErrorObject::new(LIMIT, format!("a client may watch {max} {what} here, and no more"))
}

/// The error when all clients together watch as many scripts and outpoints as they may.
pub fn server_full() -> ErrorObject {
    ErrorObject::new(LIMIT, "this server watches as much as it can; try again later")
}
