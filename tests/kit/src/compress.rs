//! How bitcoind compresses numbers, amounts and scripts in undo files (compressor, serialize).
//!
//! Written independently of hekte's code, so that the reading side is not tested against itself.

use bitcoin::secp256k1::PublicKey;

/// Appends a number in groups of 7 bits, the most significant first. Each group but the last has
/// its top bit set and is stored reduced by one, so that each number has exactly one form.
pub fn varint(out: &mut Vec<u8>, mut n: u64) {
    let mut groups = vec![(n & 0x7f) as u8];
    while n > 0x7f {
        n = (n >> 7) - 1;
        groups.push((n & 0x7f) as u8 | 0x80);
    }
    out.extend(groups.iter().rev());
}

/// Appends a CompactSize: 1, 3, 5 or 9 bytes, of which the first may be a marker, then
/// little-endian.
pub fn compact_size(out: &mut Vec<u8>, n: u64) {
    match n {
        0..=0xfc => out.push(n as u8),
        0xfd..=0xffff => {
            out.push(0xfd);
            out.extend_from_slice(&(n as u16).to_le_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xfe);
            out.extend_from_slice(&(n as u32).to_le_bytes());
        }
        _ => {
            out.push(0xff);
            out.extend_from_slice(&n.to_le_bytes());
        }
    }
}

/// The compressed form of an amount in satoshi: trailing decimal zeros become an exponent.
pub fn amount(satoshi: u64) -> u64 {
    if satoshi == 0 {
        return 0;
    }
    let (mut n, mut exponent) = (satoshi, 0);
    while exponent < 9 && n % 10 == 0 {
        n /= 10;
        exponent += 1;
    }
    if exponent == 9 {
        return 1 + 10 * (n - 1) + 9;
    }
    let last = n % 10; // 1 to 9
    1 + 10 * (9 * (n / 10) + last - 1) + exponent
}

/// Appends a script: in one of six special forms of 21 or 33 bytes, otherwise its length plus 6 and
/// the script.
pub fn script(out: &mut Vec<u8>, script: &[u8]) {
    match script {
        [0x76, 0xa9, 0x14, hash @ .., 0x88, 0xac] if hash.len() == 20 => {
            out.push(0);
            out.extend_from_slice(hash);
        }
        [0xa9, 0x14, hash @ .., 0x87] if hash.len() == 20 => {
            out.push(1);
            out.extend_from_slice(hash);
        }
        // a compressed key is stored without checking that it is on the curve
        [0x21, sign @ (2 | 3), x @ .., 0xac] if x.len() == 32 => {
            out.push(*sign);
            out.extend_from_slice(x);
        }
        [0x41, key @ .., 0xac] if is_full_key(key) => {
            out.push(4 | (key[64] & 1));
            out.extend_from_slice(&key[1..33]);
        }
        _ => {
            varint(out, script.len() as u64 + 6);
            out.extend_from_slice(script);
        }
    }
}

/// True for 65 bytes that start with 4 and are a point of the curve.
fn is_full_key(key: &[u8]) -> bool {
    key.len() == 65 && key[0] == 4 && PublicKey::from_slice(key).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_amounts_have_the_forms_of_core() {
        // from the comment above WriteVarInt in Core's serialize.h
        for (n, hex) in [
            (0, &[0x00][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x00]),
            (255, &[0x80, 0x7f]),
            (256, &[0x81, 0x00]),
            (16383, &[0xfe, 0x7f]),
            (16384, &[0xff, 0x00]),
            (16511, &[0xff, 0x7f]),
            (65535, &[0x82, 0xfe, 0x7f]),
            (1 << 32, &[0x8e, 0xfe, 0xfe, 0xff, 0x00]),
        ] {
            let mut out = Vec::new();
            varint(&mut out, n);
            assert_eq!(out, hex, "{n}");
        }
        // from Core's compress_tests.cpp
        let coin = 100_000_000;
        assert_eq!(amount(0), 0);
        assert_eq!(amount(1), 1);
        assert_eq!(amount(1_000_000), 7);
        assert_eq!(amount(coin), 9);
        assert_eq!(amount(50 * coin), 0x32);
        assert_eq!(amount(21_000_000 * coin), 0x1406f40);
    }
}
