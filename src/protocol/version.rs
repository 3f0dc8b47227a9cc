//! Protocol versions and their negotiation, always by range and never by a list.

use std::fmt;

use serde_json::Value;

use crate::protocol::message::{ErrorObject, shown};

/// A protocol version; a missing part counts as 0, so "1.6" equals "1.6.0".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version([u32; 3]);

impl Version {
    /// The oldest version served; a client that never names a version gets it, too.
    pub const V1_4: Version = Version([1, 4, 0]);
    /// From here on headers are a list, and `relayfee` is gone.
    pub const V1_6: Version = Version([1, 6, 0]);
    /// From here on scriptPubKeys replace script hashes, and there are outpoints. The newest
    /// served.
    pub const V1_7: Version = Version([1, 7, 0]);
    /// The oldest version served.
    pub const MIN: Version = Version::V1_4;
    /// The newest version served.
    pub const MAX: Version = Version::V1_7;

    /// Reads "1", "1.4", "1.4.2"; parts after the third must be numbers, but are ignored.
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = [0; 3];
        for (at, part) in text.split('.').enumerate() {
            if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            // a part too large for a number can only mean a later version
            let number = part.parse().unwrap_or(u32::MAX);
            if let Some(slot) = parts.get_mut(at) {
                *slot = number;
            }
        }
        Some(Version(parts))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}")?;
        if patch != 0 {
            write!(f, ".{patch}")?;
        }
        Ok(())
    }
}

/// The version to speak with a client that asks for `asked`: one version, a list of the lowest and
/// the highest that the client knows, or nothing (see `server.version` in the protocol).
///
/// # Errors
/// Code 1 when the ranges do not meet or cannot be read; the connection is closed then.
pub fn negotiate(asked: Option<&Value>) -> Result<Version, ErrorObject> {
    let range = match asked {
        None | Some(Value::Null) => Some((Version::MIN, Version::MIN)),
        Some(Value::String(one)) => Version::parse(one).map(|version| (version, version)),
        Some(Value::Array(pair)) => match pair.as_slice() {
            [Value::String(low), Value::String(high)] => {
                Version::parse(low).zip(Version::parse(high))
            }
            _ => None,
        },
        Some(_) => None,
    };
    let refusal = || {
        let asked = asked.map(shown).unwrap_or_default();
        let (min, max) = (Version::MIN, Version::MAX);
        ErrorObject::bad_request(format!(
            "unsupported protocol version: {asked}; this server speaks {min} to {max}"
        ))
    };
    let (low, high) = range.ok_or_else(refusal)?;
    let version = high.min(Version::MAX);
    if version < low.max(Version::MIN) {
        return Err(refusal());
    }
    Ok(version)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn check(asked: Value, expected: Option<&str>) {
        let version = negotiate(Some(&asked)).ok().map(|version| version.to_string());
        assert_eq!(version.as_deref(), expected, "asked {asked}");
    }

    #[test]
    fn the_highest_version_both_know() {
        check(json!("1.4"), Some("1.4"));
        check(json!("1.4.2"), Some("1.4.2"));
        check(json!(["1.4", "1.4"]), Some("1.4"));
        check(json!(["1.4", "1.6"]), Some("1.6"));
        check(json!(["1.4", "1.5"]), Some("1.5"));
        check(json!(["1.4", "1.4.9"]), Some("1.4.9"));
        check(json!(["1.1", "99"]), Some("1.7"));
        check(json!(["1.6.0", "1.6"]), Some("1.6"));
        check(json!(["1.6", "1.6.0.4"]), Some("1.6"));
        check(json!(["0", "99999999999999999999.1"]), Some("1.7"));
        check(Value::Null, Some("1.4"));
        assert_eq!(negotiate(None).unwrap(), Version::V1_4);
    }

    #[test]
    fn no_common_version() {
        for asked in [
            json!("1.3"),
            json!("1.8"),
            json!("1.7.1"),
            json!(["1.8", "2.0"]),
            json!(["1.0", "1.2"]),
            json!(["1.6", "1.4"]),
            json!(["1.4"]),
            json!([]),
            json!(["1.4", 1.7]),
            json!(1.4),
            json!(""),
            json!("1."),
            json!("-1.4"),
            json!("one"),
            json!({"min": "1.4"}),
        ] {
            check(asked, None);
        }
    }
}
