//! JSON-RPC: turns a line into requests and results into reply lines; the table of error codes.

use std::borrow::Cow;

use serde_json::Value;

use crate::limits::{MAX_BATCH_REQUESTS, MAX_ECHO_CHARS, MAX_JSON_VALUES_PER_LINE, MAX_LINE_BYTES};
use crate::protocol::json::Json;

/// The line is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The line is JSON but no request; or the reply would be too large to send.
pub const INVALID_REQUEST: i64 = -32600;
/// No such method at this protocol version.
pub const UNKNOWN_METHOD: i64 = -32601;
/// Too few, too many or misnamed parameters.
pub const INVALID_PARAMS: i64 = -32602;
/// An error of our own, or the index is still being built.
pub const INTERNAL: i64 = -32603;
/// A parameter with an invalid value, or a transaction that bitcoind refuses.
pub const BAD_REQUEST: i64 = 1;
/// bitcoind has no answer or cannot be reached.
pub const NODE_ERROR: i64 = 2;
/// A limit on subscriptions. The protocol defines no code; this is Fulcrum's.
pub const LIMIT: i64 = 4;
/// The question got no answer because others hold the memory for summaries or for replies, or
/// because another moment was published each of the ten times that the answer was made.
pub const BUSY: i64 = -102;
/// The history is too long (protocol 1.7, and ElectrumX at any version).
pub const HISTORY_TOO_LONG: i64 = 10001;

/// The `error` member of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorObject {
    /// One of the codes above.
    pub code: i64,
    /// A sentence for people to read.
    pub message: String,
}

impl ErrorObject {
    /// An error of any code.
    pub fn new(code: i64, message: impl Into<String>) -> ErrorObject {
        ErrorObject { code, message: message.into() }
    }

    /// An error of code 1.
    pub fn bad_request(message: impl Into<String>) -> ErrorObject {
        ErrorObject::new(BAD_REQUEST, message)
    }
}

/// What a reply carries: a result, or an error object.
pub type ReplyBody = Result<Json, ErrorObject>;

/// One request that expects a reply.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The id, any JSON value but null; the reply repeats it unchanged.
    pub id: Value,
    /// The method's name.
    pub method: String,
    /// The parameters: a list, an object, or null if there are none.
    pub params: Value,
}

/// A request that cannot be understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Malformed {
    /// The request's id, null if it has none.
    pub id: Value,
    /// What is wrong.
    pub error: ErrorObject,
}

/// The content of one line. Notifications are left out: no client notification needs an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// There is nothing to answer: the line is blank or a notification.
    Nothing,
    /// One request.
    One(Result<Request, Malformed>),
    /// A batch, in order; empty if it held notifications only.
    Batch(Vec<Result<Request, Malformed>>),
}

/// Reads a line leniently: `jsonrpc`, the type of `params` and surplus members are not checked.
pub fn read(line: &[u8]) -> Incoming {
    if line.trim_ascii().is_empty() {
        return Incoming::Nothing;
    }
    let refuse = |code, message: String| {
        Incoming::One(Err(Malformed { id: Value::Null, error: ErrorObject::new(code, message) }))
    };
    if count_values(line) > MAX_JSON_VALUES_PER_LINE {
        let text = format!("more than {MAX_JSON_VALUES_PER_LINE} values in one line");
        return refuse(INVALID_REQUEST, text);
    }
    match serde_json::from_slice(line) {
        Err(error) => refuse(PARSE_ERROR, format!("invalid JSON: {error}")),
        Ok(Value::Array(items)) if items.is_empty() => {
            refuse(INVALID_REQUEST, "empty batch".to_owned())
        }
        Ok(Value::Array(items)) if items.len() > MAX_BATCH_REQUESTS => refuse(
            INVALID_REQUEST,
            format!("batch of {} requests; at most {MAX_BATCH_REQUESTS} are taken", items.len()),
        ),
        Ok(Value::Array(items)) => Incoming::Batch(
            items.into_iter().filter_map(|item| request(item).transpose()).collect(),
        ),
        Ok(item) => match request(item).transpose() {
            Some(item) => Incoming::One(item),
            None => Incoming::Nothing,
        },
    }
}

/// Reads one object of the line; `None` for a notification (without an id, or with null, as
/// ElectrumX reads it).
fn request(item: Value) -> Result<Option<Request>, Malformed> {
    let invalid = |id, text: &str| Malformed { id, error: ErrorObject::new(INVALID_REQUEST, text) };
    let Value::Object(mut members) = item else {
        return Err(invalid(Value::Null, "a request must be a JSON object"));
    };
    let id = members.remove("id").unwrap_or(Value::Null);
    let method = match members.remove("method") {
        Some(Value::String(method)) => method,
        Some(_) => return Err(invalid(id, "the method must be a string")),
        None => return Err(invalid(id, "the method is missing")),
    };
    if id.is_null() {
        return Ok(None);
    }
    let params = members.remove("params").unwrap_or(Value::Null);
    Ok(Some(Request { id, method, params }))
}

/// An upper bound on the number of values, found without building them: it counts commas and
/// brackets outside of strings.
fn count_values(line: &[u8]) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in line {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => count += 1,
            _ => (),
        }
    }
    count
}

/// A reply as one line, without the newline. An error reply has no `result`: health checks on
/// node images look for that word.
pub fn reply(id: &Value, body: ReplyBody) -> String {
    match body {
        Ok(json) => {
            // built in place: an answer may be large, and must not be held twice
            let mut line = json.into_string();
            let head = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#);
            // room for `}` and a newline
            line.reserve_exact(head.len() + 2);
            line.insert_str(0, &head);
            line.push('}');
            line
        }
        Err(ErrorObject { code, message }) => {
            let message = Json::text(&message).into_string();
            let error = format!(r#"{{"code":{code},"message":{message}}}"#);
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
        }
    }
}

/// The reply to a line that was cut off at the limit. Its id is unknown, so it is null.
pub fn line_too_long() -> String {
    let text = format!("request line longer than {MAX_LINE_BYTES} bytes");
    reply(&Value::Null, Err(ErrorObject::new(INVALID_REQUEST, text)))
}

/// A notification as one line, without the newline.
pub fn notification(method: &str, params: Json) -> String {
    let params = params.into_string();
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

/// A client's own value as it is shown in an error message: shortened, and on one line.
pub fn shown(value: &Value) -> String {
    cut(&value.to_string(), MAX_ECHO_CHARS).into_owned()
}

/// The first `chars` characters, with "..." behind them if there were more.
pub fn cut(text: &str, chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars) {
        Some((at, _)) => Cow::Owned(format!("{}...", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn one(line: &str) -> Request {
        match read(line.as_bytes()) {
            Incoming::One(Ok(request)) => request,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refusal(line: &[u8]) -> (Value, i64) {
        match read(line) {
            Incoming::One(Err(malformed)) => (malformed.id, malformed.error.code),
            other => panic!("{}: {other:?}", String::from_utf8_lossy(line)),
        }
    }

    #[test]
    fn ids_come_back_as_they_were() {
        for id in ["0", "-1", "1.50", "1e+3", "1180591620717411303424", r#""x""#, "[1]", "false"] {
            let request = one(&format!(r#"{{"id":{id},"method":"m"}}"#));
            assert_eq!(request.params, Value::Null);
            let line = reply(&request.id, Ok(Json::null()));
            assert_eq!(line, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":null}}"#));
        }
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_id() {
        assert_eq!(refusal(b"{"), (Value::Null, PARSE_ERROR));
        assert_eq!(refusal(b"\xff\xfe"), (Value::Null, PARSE_ERROR));
        assert_eq!(refusal(b"{\"id\":1}{\"id\":2}"), (Value::Null, PARSE_ERROR));
        assert_eq!(refusal("[".repeat(300).as_bytes()), (Value::Null, PARSE_ERROR));
        assert_eq!(refusal(b"5"), (Value::Null, INVALID_REQUEST));
        assert_eq!(refusal(b"[]"), (Value::Null, INVALID_REQUEST));
        assert_eq!(refusal(b"{}"), (Value::Null, INVALID_REQUEST));
        assert_eq!(refusal(br#"{"id":7}"#), (json!(7), INVALID_REQUEST));
        assert_eq!(refusal(br#"{"id":7,"method":8}"#), (json!(7), INVALID_REQUEST));
        let many = format!("[{}1]", "1,".repeat(MAX_BATCH_REQUESTS));
        assert_eq!(refusal(many.as_bytes()), (Value::Null, INVALID_REQUEST));
        let bomb = format!(r#"{{"id":1,"params":[{}1]}}"#, "1,".repeat(MAX_JSON_VALUES_PER_LINE));
        assert_eq!(refusal(bomb.as_bytes()), (Value::Null, INVALID_REQUEST));
    }

    #[test]
    fn notifications_get_no_reply() {
        for line in [" \r", r#"{"method":"m"}"#, r#"{"id":null,"method":"m"}"#] {
            assert_eq!(read(line.as_bytes()), Incoming::Nothing, "{line}");
        }
        assert_eq!(read(br#"[{"method":"m"}]"#), Incoming::Batch(vec![]));
    }

    #[test]
    fn strings_are_not_counted_as_values() {
        assert_eq!(count_values(br#"{"a":"[,,,\",{","b":[1,2]}"#), 4);
    }

    #[test]
    fn errors_have_no_result_and_echo_little() {
        let line = reply(&json!(1), Err(ErrorObject::bad_request("a \"b\"")));
        assert_eq!(line, r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"a \"b\""}}"#);
        assert_eq!(shown(&Value::from("é".repeat(500))).chars().count(), MAX_ECHO_CHARS + 3);
    }
}
