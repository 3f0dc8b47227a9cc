//! What the wire says where there is no answer.

use crate::protocol::message::{
    self, BUSY, ErrorObject, HISTORY_TOO_LONG, INTERNAL, LIMIT, NODE_ERROR,
};
use crate::query::answers::QueryError;

/// The wire's error for a question without answer.
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

/// The error for a reply refused because queued replies already use all reply memory.
pub fn crowded() -> ErrorObject {
    ErrorObject::new(BUSY, "server busy: too many large replies are waiting")
}

/// The error where a client watches as many of `what` as it may.
pub fn client_full(max: usize, what: &str) -> ErrorObject {
    ErrorObject::new(LIMIT, format!("a client may watch {max} {what} here, and no more"))
}

/// The error where all clients together watch as many as may be.
pub fn server_full() -> ErrorObject {
    ErrorObject::new(LIMIT, "this server watches as much as it can; try again later")
}
