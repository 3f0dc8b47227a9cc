//! The reply to a batch: in the order of its requests, and no longer than a reply may be.

use serde_json::Value;

use crate::limits::MAX_REPLY_BYTES;
use crate::protocol::message::{ErrorObject, INVALID_REQUEST, reply};

/// Collects the replies to a batch; a reply that does not fit is replaced by an error.
#[derive(Debug)]
pub struct BatchReply {
    text: String,
    limit_bytes: usize,
    full: bool,
}

impl Default for BatchReply {
    fn default() -> BatchReply {
        BatchReply { text: String::from("["), limit_bytes: MAX_REPLY_BYTES, full: false }
    }
}

impl BatchReply {
    /// Whether a reply did not fit. From then on no more questions are asked: otherwise a batch of
    /// large replies would be computed only to be thrown away.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Memory taken so far, in bytes.
    pub fn bytes(&self) -> usize {
        self.text.capacity()
    }

    /// Adds a finished reply.
    pub fn add(&mut self, line: &str) {
        // room for a comma and the closing bracket, and more, so that many replies cause few
        // reallocations
        let needed = line.len() + 2;
        if self.text.capacity() - self.text.len() < needed {
            self.text.reserve_exact(needed.max(self.text.len() / 8));
        }
        if self.text.len() > 1 {
            self.text.push(',');
        }
        self.text.push_str(line);
    }

    /// Adds the reply to the request `id` if it fits, else an error in its place.
    pub fn add_if_it_fits(&mut self, id: &Value, line: &str) {
        if self.text.len().saturating_add(line.len()) < self.limit_bytes {
            self.add(line);
        } else {
            self.full = true;
            self.add_too_large(id);
        }
    }

    /// Adds the error that the batch is full.
    pub fn add_too_large(&mut self, id: &Value) {
        let text = format!("the replies of this batch would pass {} bytes", self.limit_bytes);
        self.add(&reply(id, Err(ErrorObject::new(INVALID_REQUEST, text))));
    }

    /// The whole reply line; `None` for a batch without requests.
    pub fn finish(mut self) -> Option<String> {
        self.text.push(']');
        (self.text.len() > 2).then_some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_is_kept_and_the_limit_too() {
        let mut batch = BatchReply { text: String::from("["), limit_bytes: 12, full: false };
        batch.add_if_it_fits(&json!(1), "{\"a\":1}");
        batch.add_if_it_fits(&json!(2), "{\"b\":2}");
        assert!(batch.is_full());
        let text = batch.finish().unwrap_or_default();
        assert!(text.starts_with(r#"[{"a":1},{"jsonrpc":"2.0","id":2,"error":{"code":-32600"#));
        assert_eq!(BatchReply::default().finish(), None);
    }
}
