//! Bytes as lowercase hexadecimal digits: most of what goes over the wire.

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// Bytes turned to digits in one go; a hash has as many.
const PART_BYTES: usize = 32;

/// Appends the digits of `bytes`.
pub fn push(text: &mut String, bytes: &[u8]) {
    for part in bytes.chunks(PART_BYTES) {
        let mut digits = [0; 2 * PART_BYTES];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(part) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        // always: the digits are ASCII
        if let Ok(digits) = std::str::from_utf8(&digits[..2 * part.len()]) {
            text.push_str(digits);
        }
    }
}

/// The digits of `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    push(&mut text, bytes);
    text
}

/// Appends the digits of a hash in internal byte order as it is shown: byte-reversed.
pub fn push_reversed(text: &mut String, hash: &[u8; 32]) {
    let mut shown = *hash;
    shown.reverse();
    push(text, &shown);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_bytes() {
        for count in [0, 1, 31, 32, 33, 100] {
            let bytes: Vec<u8> = (0..count).map(|i: u8| i.wrapping_mul(7)).collect();
            let mut text = String::new();
            push(&mut text, &bytes);
            let expected: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(text, expected);
        }
        let mut hash = [0; 32];
        hash[0] = 0xf1;
        let mut text = String::new();
        push_reversed(&mut text, &hash);
        assert_eq!(text, format!("{}f1", "00".repeat(31)));
    }
}
