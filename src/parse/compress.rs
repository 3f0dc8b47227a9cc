//! The compressed amounts and scripts that bitcoind keeps in its undo data (Core compressor.cpp).

use bitcoin::secp256k1::PublicKey;

use super::bytes::{Cursor, Parsed};

/// The number of special script forms. A raw script is stored with its length plus this number,
/// since smaller numbers name the forms.
const SPECIAL_SCRIPTS: u64 = 6;

/// A script restored from one of the six special forms, or the raw bytes of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Script<'a> {
    /// A script that is stored whole.
    Raw(&'a [u8]),
    /// A P2PKH, P2SH or P2PK script, in the first bytes of the array, and its length.
    Restored([u8; 67], usize),
}

impl Script<'_> {
    /// The scriptPubKey.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Script::Raw(bytes) => bytes,
            Script::Restored(bytes, len) => bytes.get(..*len).unwrap_or_default(),
        }
    }

    fn restored(parts: &[&[u8]]) -> Script<'static> {
        let mut bytes = [0; 67];
        let mut len = 0;
        for part in parts {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        }
        Script::Restored(bytes, len)
    }
}

/// Reads a compressed script.
pub fn script<'a>(cursor: &mut Cursor<'a>) -> Parsed<Script<'a>> {
    const WHAT: &str = "compressed script";
    let kind = cursor.varint(WHAT)?;
    match kind {
        0 => {
            let hash = cursor.take(20, WHAT)?;
            Ok(Script::restored(&[&[0x76, 0xa9, 0x14], hash, &[0x88, 0xac]]))
        }
        1 => {
            let hash = cursor.take(20, WHAT)?;
            Ok(Script::restored(&[&[0xa9, 0x14], hash, &[0x87]]))
        }
        2 | 3 => {
            let x = cursor.take(32, WHAT)?;
            Ok(Script::restored(&[&[0x21, kind as u8], x, &[0xac]]))
        }
        4 | 5 => {
            let error = cursor.error("compressed script that is no point of the curve");
            let mut key = [kind as u8 - 2; 33];
            key[1..].copy_from_slice(cursor.take(32, WHAT)?);
            let key = PublicKey::from_slice(&key).map_err(|_| error)?;
            Ok(Script::restored(&[&[0x41], &key.serialize_uncompressed(), &[0xac]]))
        }
        _ => {
            let error = cursor.error(WHAT);
            let len = usize::try_from(kind - SPECIAL_SCRIPTS).map_err(|_| error)?;
            Ok(Script::Raw(cursor.take(len, WHAT)?))
        }
    }
}

/// Restores an amount in satoshi; `None` if no amount compresses to that number.
pub fn amount(compressed: u64) -> Option<u64> {
    let Some(mut x) = compressed.checked_sub(1) else {
        return Some(0);
    };
    let exponent = x % 10;
    x /= 10;
    let mut n = if exponent < 9 {
        let last_digit = x % 9 + 1;
        (x / 9).checked_mul(10)?.checked_add(last_digit)?
    } else {
        x.checked_add(1)?
    };
    for _ in 0..exponent {
        n = n.checked_mul(10)?;
    }
    Some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_core() {
        // values of Core's compress_tests.cpp
        let coin = 100_000_000u64;
        for (value, compressed) in [
            (0, 0),
            (1, 1),
            (1_000_000, 7),
            (coin, 9),
            (50 * coin, 0x32),
            (21_000_000 * coin, 0x1406f40),
        ] {
            assert_eq!(amount(compressed), Some(value));
        }
        assert_eq!(amount(u64::MAX), None);
    }
}
