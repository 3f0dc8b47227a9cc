//! Parameters by position or by name; each is read as its type, with a sentence if it is wrong.

use bitcoin::Txid;
use bitcoin::hex::FromHex;
use serde_json::Value;

use crate::ids::{Height, ScriptHash};
use crate::protocol::message::{ErrorObject, INVALID_PARAMS, shown};

/// The result of reading one parameter.
pub type Read<T> = Result<T, ErrorObject>;

/// The parameters of one request, in the documented order.
#[derive(Debug)]
pub struct Params<'a> {
    names: &'static [&'static str],
    values: Vec<Option<&'a Value>>,
}

impl<'a> Params<'a> {
    /// Sorts `given` (a list, an object or null) by the documented `names`. A null counts as not
    /// given.
    ///
    /// # Errors
    /// -32602 for too many parameters, for unknown names, and if `given` is neither list nor
    /// object.
    pub fn new(given: &'a Value, names: &'static [&'static str]) -> Read<Params<'a>> {
        let invalid = |text: String| {
            let takes = names.join(", ");
            ErrorObject::new(INVALID_PARAMS, format!("{text}; this method takes ({takes})"))
        };
        let mut values: Vec<Option<&Value>> = vec![None; names.len()];
        match given {
            Value::Null => (),
            Value::Array(list) if list.len() > names.len() => {
                return Err(invalid(format!("{} parameters are too many", list.len())));
            }
            Value::Array(list) => {
                for (slot, value) in values.iter_mut().zip(list) {
                    *slot = Some(value);
                }
            }
            Value::Object(members) => {
                for (name, value) in members {
                    let at = names.iter().position(|known| known == name);
                    match at.and_then(|at| values.get_mut(at)) {
                        Some(slot) => *slot = Some(value),
                        None => {
                            let name = shown(&Value::from(name.as_str()));
                            return Err(invalid(format!("there is no parameter {name}")));
                        }
                    }
                }
            }
            _ => return Err(invalid("params must be a list or an object".to_owned())),
        }
        values.iter_mut().for_each(|slot| *slot = slot.filter(|value| !value.is_null()));
        Ok(Params { names, values })
    }

    /// The parameter at `at`, if given.
    pub fn optional(&self, at: usize) -> Option<&'a Value> {
        self.values.get(at).copied().flatten()
    }

    /// The parameter at `at`; -32602 if it is missing.
    pub fn required(&self, at: usize) -> Read<&'a Value> {
        self.optional(at).ok_or_else(|| {
            let name = self.names.get(at).copied().unwrap_or("");
            ErrorObject::new(INVALID_PARAMS, format!("the parameter {name} is missing"))
        })
    }

    /// A block height; a number that does not fit 32 bits is an error, since no chain is that high.
    pub fn height(&self, at: usize) -> Read<Height> {
        height(self.required(at)?)
    }

    /// The height at which a list of headers starts. A number beyond 32 bits is above the tip of
    /// any chain, so it is no error: the list is empty.
    pub fn start_height(&self, at: usize) -> Read<Height> {
        Ok(Height(self.count(at)?))
    }

    /// A block height that may be left out.
    pub fn optional_height(&self, at: usize) -> Read<Option<Height>> {
        self.optional(at).map(height).transpose()
    }

    /// The height of a checkpoint, where 0 means none.
    pub fn checkpoint(&self, at: usize) -> Read<Option<Height>> {
        Ok(self.optional_height(at)?.filter(|height| height.0 != 0))
    }

    /// A count; a number beyond 32 bits becomes the largest count, meaning "as many as you have".
    pub fn count(&self, at: usize) -> Read<u32> {
        let value = self.required(at)?;
        Ok(u32::try_from(whole(value)?).unwrap_or(u32::MAX))
    }

    /// A position or index of 32 bits.
    pub fn index(&self, at: usize) -> Read<u32> {
        index(self.required(at)?)
    }

    /// An index that may be left out.
    pub fn optional_index(&self, at: usize) -> Read<Option<u32>> {
        self.optional(at).map(index).transpose()
    }

    /// A yes or no that may be left out; 0 and 1 are accepted, as by ElectrumX.
    pub fn optional_flag(&self, at: usize) -> Read<Option<bool>> {
        let read = |value: &Value| match value {
            Value::Bool(flag) => Ok(*flag),
            Value::Number(number) if number.as_u64() == Some(0) => Ok(false),
            Value::Number(number) if number.as_u64() == Some(1) => Ok(true),
            _ => Err(wrong(value, "true or false")),
        };
        self.optional(at).map(read).transpose()
    }

    /// A yes or no; no if it was not given.
    pub fn flag(&self, at: usize) -> Read<bool> {
        Ok(self.optional_flag(at)?.unwrap_or(false))
    }

    /// A transaction id, in the order of bytes in which it is displayed.
    pub fn txid(&self, at: usize) -> Read<Txid> {
        let value = self.required(at)?;
        let txid = value.as_str().and_then(|text| text.parse().ok());
        txid.ok_or_else(|| wrong(value, "a transaction id of 64 hexadecimal digits"))
    }

    /// A script hash, in the order of bytes in which it is displayed.
    pub fn script_hash(&self, at: usize) -> Read<ScriptHash> {
        let value = self.required(at)?;
        let hash = value.as_str().and_then(|text| text.parse().ok());
        hash.ok_or_else(|| wrong(value, "a script hash of 64 hexadecimal digits"))
    }

    /// A scriptPubKey in hexadecimal, read as its hash.
    pub fn script(&self, at: usize) -> Read<ScriptHash> {
        let value = self.required(at)?;
        let script = value.as_str().and_then(|text| Vec::<u8>::from_hex(text).ok());
        script
            .map(|script| ScriptHash::of(&script))
            .ok_or_else(|| wrong(value, "a scriptPubKey in hexadecimal"))
    }

    /// A raw transaction in hexadecimal, kept as text: only bitcoind parses it.
    pub fn raw_transaction(&self, at: usize) -> Read<String> {
        raw_transaction(self.required(at)?)
    }

    /// A list of at least one and at most `max` raw transactions.
    pub fn raw_transactions(&self, at: usize, max: usize) -> Read<Vec<String>> {
        let value = self.required(at)?;
        match value.as_array() {
            Some(list) if !list.is_empty() && list.len() <= max => {
                list.iter().map(raw_transaction).collect()
            }
            Some(list) => Err(ErrorObject::bad_request(format!(
                "{} transactions; at least 1 and at most {max} are taken",
                list.len()
            ))),
            None => Err(wrong(value, "a list of raw transactions")),
        }
    }

    /// Hexadecimal digits whose value is not used; their number may be odd.
    pub fn optional_digits(&self, at: usize) -> Read<()> {
        match self.optional(at) {
            None => Ok(()),
            Some(Value::String(text)) if text.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(()),
            Some(value) => Err(wrong(value, "hexadecimal digits")),
        }
    }
}

/// The error "X should be Y", with code 1 as in ElectrumX.
fn wrong(value: &Value, should_be: &str) -> ErrorObject {
    ErrorObject::bad_request(format!("{} should be {should_be}", shown(value)))
}

/// A whole number from 0 up; a number beyond 64 bits becomes the largest.
fn whole(value: &Value) -> Read<u64> {
    let digits = match value {
        Value::Number(number) => number.to_string(),
        _ => return Err(wrong(value, "a non-negative integer")),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong(value, "a non-negative integer"));
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}

fn height(value: &Value) -> Read<Height> {
    match u32::try_from(whole(value)?) {
        Ok(height) => Ok(Height(height)),
        Err(_) => Err(ErrorObject::bad_request(format!("height {} out of range", shown(value)))),
    }
}

fn index(value: &Value) -> Read<u32> {
    u32::try_from(whole(value)?)
        .map_err(|_| ErrorObject::bad_request(format!("{} is out of range", shown(value))))
}

fn raw_transaction(value: &Value) -> Read<String> {
    match value.as_str() {
        Some(text)
            if !text.is_empty()
                && text.len() % 2 == 0
                && text.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(wrong(value, "a raw transaction in hexadecimal")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NAMES: &[&str] = &["height", "cp_height"];

    fn heights(given: &str) -> Result<(Height, Option<Height>), i64> {
        let given = serde_json::from_str(given).unwrap();
        let read = |params: Params<'_>| Ok((params.height(0)?, params.checkpoint(1)?));
        Params::new(&given, NAMES).and_then(read).map_err(|error| error.code)
    }

    #[test]
    fn by_position_and_by_name() {
        let both = Ok((Height(5), Some(Height(8))));
        assert_eq!(heights("[5, 8]"), both);
        assert_eq!(heights(r#"{"cp_height": 8, "height": 5}"#), both);
        assert_eq!(heights("[5]"), Ok((Height(5), None)));
        assert_eq!(heights("[5, 0]"), Ok((Height(5), None)));
        assert_eq!(heights("[5, null]"), Ok((Height(5), None)));
    }

    #[test]
    fn the_wrong_number_or_name_is_32602() {
        for given in ["null", "[]", "{}", "[null, 1]", "[1, 2, 3]", r#"{"hight": 5}"#, "7", "\"\""]
        {
            assert_eq!(heights(given), Err(INVALID_PARAMS), "{given}");
        }
    }

    #[test]
    fn senseless_heights_are_code_1() {
        for height in ["1180591620717411303424", "4294967296", "-1", "-0", "1.0", "1e2", "\"5\""] {
            assert_eq!(heights(&format!("[{height}]")), Err(1), "{height}");
            assert_eq!(heights(&format!("[5, {height}]")), Err(1), "{height}");
        }
        for height in ["true", "[]", "{}"] {
            assert_eq!(heights(&format!("[{height}]")), Err(1), "{height}");
        }
    }
}
