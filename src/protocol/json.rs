//! Finished JSON text, written directly: a history as a tree of values would cost six times more.

use std::fmt::Write;

use serde_json::Value;

use crate::hex;

/// One complete JSON value as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// `null`
    pub fn null() -> Json {
        Json("null".to_owned())
    }

    /// `true` or `false`
    pub fn bool(value: bool) -> Json {
        Json(value.to_string())
    }

    /// A whole number.
    pub fn int(value: impl Into<i128>) -> Json {
        Json(value.into().to_string())
    }

    /// A string, escaped as needed.
    pub fn text(value: &str) -> Json {
        Json::value(&Value::from(value))
    }

    /// Bytes as a string of lowercase hexadecimal digits.
    pub fn hex(bytes: &[u8]) -> Json {
        let mut text = String::with_capacity(bytes.len().saturating_mul(2).saturating_add(2));
        text.push('"');
        hex::push(&mut text, bytes);
        text.push('"');
        Json(text)
    }

    /// A hash in internal byte order as the protocol shows it: byte-reversed.
    pub fn hash(bytes: &[u8; 32]) -> Json {
        let mut text = String::with_capacity(66);
        push_hash(&mut text, bytes);
        Json(text)
    }

    /// Any value of serde_json; numbers keep the digits they were read with.
    pub fn value(value: &Value) -> Json {
        Json(value.to_string())
    }

    /// Text that is JSON already, such as an answer of bitcoind that is passed on.
    pub fn ready(text: String) -> Json {
        Json(text)
    }

    /// A list; `write` adds one item. Stops with `None` once the text passes `limit_bytes`.
    pub fn list<T>(
        items: impl IntoIterator<Item = T>,
        limit_bytes: usize,
        write: impl FnMut(&mut String, T),
    ) -> Option<Json> {
        Json::long_list(items, 2, limit_bytes, write)
    }

    /// Like [`Json::list`], for a list whose text is known to take `expected_bytes` at most: no
    /// more memory than that is taken.
    pub fn long_list<T>(
        items: impl IntoIterator<Item = T>,
        expected_bytes: usize,
        limit_bytes: usize,
        mut write: impl FnMut(&mut String, T),
    ) -> Option<Json> {
        let mut text = String::with_capacity(expected_bytes.min(limit_bytes));
        text.push('[');
        for item in items {
            if text.len() > 1 {
                text.push(',');
            }
            write(&mut text, item);
            if text.len() >= limit_bytes {
                return None;
            }
        }
        text.push(']');
        Some(Json(text))
    }

    /// An object with the fields in the order given.
    pub fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
        Json::object_of(fields)
    }

    /// An object with any number of fields, in the order given.
    pub fn object_of<'a>(fields: impl IntoIterator<Item = (&'a str, Json)>) -> Json {
        let mut text = String::from("{");
        for (name, value) in fields {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&Json::text(name).0);
            text.push(':');
            text.push_str(&value.0);
        }
        text.push('}');
        Json(text)
    }

    /// A list of a few finished values.
    pub fn array<const N: usize>(items: [Json; N]) -> Json {
        Json(format!("[{}]", items.map(|item| item.0).join(",")))
    }

    /// A list of any number of finished values.
    pub fn array_of(items: impl IntoIterator<Item = Json>) -> Json {
        let mut text = String::from("[");
        for item in items {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&item.0);
        }
        text.push(']');
        Json(text)
    }

    /// An object of one field, in the place of its value.
    pub fn inside(self, name: &str) -> Json {
        let (mut text, head) = (self.0, format!("{{{}:", Json::text(name).0));
        text.reserve_exact(head.len() + 1);
        text.insert_str(0, &head);
        text.push('}');
        Json(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, without a copy.
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Appends a hash as a quoted string, byte-reversed.
pub fn push_hash(out: &mut String, bytes: &[u8; 32]) {
    out.push('"');
    hex::push_reversed(out, bytes);
    out.push('"');
}

/// Appends anything that displays without characters to escape.
pub fn push_plain(out: &mut String, value: impl std::fmt::Display) {
    // writing into a String cannot fail
    let _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_json() {
        assert_eq!(Json::text("a\"b\n").as_str(), r#""a\"b\n""#);
        assert_eq!(Json::hex(&[0, 0xab, 0x1f]).as_str(), r#""00ab1f""#);
        let mut hash = [0; 32];
        hash[0] = 0xf1;
        assert_eq!(Json::hash(&hash).as_str(), format!("\"{}f1\"", "00".repeat(31)));
        let object = Json::object([("a", Json::int(-1)), ("b", Json::null())]);
        assert_eq!(object.as_str(), r#"{"a":-1,"b":null}"#);
    }

    #[test]
    fn a_list_stops_at_its_limit() {
        let list = |limit| Json::list([1, 2, 3], limit, push_plain);
        assert_eq!(list(100).map(Json::into_string).as_deref(), Some("[1,2,3]"));
        assert_eq!(list(5), None);
        let none: [u8; 0] = [];
        let empty = Json::list(none, 100, push_plain);
        assert_eq!(empty.map(Json::into_string).as_deref(), Some("[]"));
    }
}
