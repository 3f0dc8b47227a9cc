//! Scripts in words, as bitcoind words them (Core core_write.cpp, ScriptToAsmStr).

use bitcoin::opcodes::Opcode;
use bitcoin::opcodes::all::{OP_CLTV, OP_CSV, OP_PUSHDATA4};
use bitcoin::script::Instruction;
use bitcoin::{Script, opcodes};

use crate::hex;

/// Writes a script as words: a push as a number or in hexadecimal digits, any other opcode by its
/// name. With `signatures`, which is for the scripts of inputs, a signature is followed by the name
/// of what it covers.
pub fn asm(script: &Script, signatures: bool) -> String {
    let mut words = Vec::new();
    for instruction in script.instructions() {
        words.push(match instruction {
            Ok(Instruction::PushBytes(data)) => push(data.as_bytes(), signatures),
            Ok(Instruction::Op(opcode)) => name(opcode),
            Err(_) => "[error]".to_owned(),
        });
    }
    words.join(" ")
}

/// The word for a push. Up to four bytes are a number, with the lowest byte first and the sign in
/// the highest bit.
fn push(data: &[u8], signatures: bool) -> String {
    if data.len() <= 4 {
        let bytes = data.iter().rev().fold(0i64, |number, byte| number << 8 | i64::from(*byte));
        let sign = match data.last() {
            Some(last) if last & 0x80 != 0 => 0x80 << (8 * (data.len() - 1)),
            _ => 0,
        };
        return if sign == 0 { bytes.to_string() } else { (sign - bytes).to_string() };
    }
    match data.split_last() {
        Some((kind, signature)) if signatures && is_signature(signature) => match covers(*kind) {
            Some(covered) => format!("{}[{covered}]", hex::encode(signature)),
            None => hex::encode(data),
        },
        _ => hex::encode(data),
    }
}

fn covers(kind: u8) -> Option<&'static str> {
    Some(match kind {
        0x01 => "ALL",
        0x02 => "NONE",
        0x03 => "SINGLE",
        0x81 => "ALL|ANYONECANPAY",
        0x82 => "NONE|ANYONECANPAY",
        0x83 => "SINGLE|ANYONECANPAY",
        _ => return None,
    })
}

/// Whether `data` is a signature by BIP 66: two integers in strict DER, none negative, none with
/// needless zeros.
fn is_signature(data: &[u8]) -> bool {
    let integer = |data: &[u8]| match data {
        [2, length, rest @ ..] if *length > 0 && rest.len() >= usize::from(*length) => {
            let number = &rest[..usize::from(*length)];
            let padded = number.len() > 1 && number[0] == 0 && number[1] < 0x80;
            (number[0] < 0x80 && !padded).then_some(2 + number.len())
        }
        _ => None,
    };
    let [0x30, length, rest @ ..] = data else { return false };
    // BIP 66 allows 9 to 73 bytes with the byte that says what is covered, which is not in `data`
    if usize::from(*length) != rest.len() || !(8..=72).contains(&data.len()) {
        return false;
    }
    let Some(first) = integer(rest) else { return false };
    integer(&rest[first..]) == Some(rest.len() - first)
}

fn name(opcode: Opcode) -> String {
    const FIRST_NUMBER: u8 = opcodes::all::OP_PUSHNUM_1.to_u8();
    const LAST_NUMBER: u8 = opcodes::all::OP_PUSHNUM_16.to_u8();
    const LAST_NAMED: u8 = opcodes::all::OP_CHECKSIGADD.to_u8();
    match opcode.to_u8() {
        byte if byte <= OP_PUSHDATA4.to_u8() => "[error]".to_owned(),
        0x4f => "-1".to_owned(),
        byte @ FIRST_NUMBER..=LAST_NUMBER => (byte - FIRST_NUMBER + 1).to_string(),
        _ if opcode == OP_CLTV => "OP_CHECKLOCKTIMEVERIFY".to_owned(),
        _ if opcode == OP_CSV => "OP_CHECKSEQUENCEVERIFY".to_owned(),
        0xff => "OP_INVALIDOPCODE".to_owned(),
        byte if byte > LAST_NAMED => "OP_UNKNOWN".to_owned(),
        _ => opcode.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use bitcoin::ScriptBuf;

    fn check(script: &str, words: &str) {
        let script = ScriptBuf::from_hex(script).unwrap();
        assert_eq!(asm(&script, false), words);
    }

    #[test]
    fn as_bitcoind_words_them() {
        check("", "");
        check("0014ffffffffffffffffffffffffffffffffffffffff", &format!("0 {}", "ff".repeat(20)));
        check("4f516061", "-1 1 16 OP_NOP");
        check("0181", "-1");
        check("0180", "0");
        check("02ff7f02ffff", "32767 -32767");
        check("04ffffffff", "-2147483647");
        check("050000000001", "0000000001");
        check("b175b275", "OP_CHECKLOCKTIMEVERIFY OP_DROP OP_CHECKSEQUENCEVERIFY OP_DROP");
        check("6a0568656c6c6f", "OP_RETURN 68656c6c6f");
        check("5105aa", "1 [error]");
        check("bbfeff", "OP_UNKNOWN OP_UNKNOWN OP_INVALIDOPCODE");
    }

    #[test]
    fn signatures_say_what_they_cover() {
        // r = 1, s = 128
        let signature = "3007020101020200 80".replace(' ', "");
        let asm_of = |bytes: &str| {
            let push = format!("{:02x}{bytes}", bytes.len() / 2);
            asm(&ScriptBuf::from_hex(&push).unwrap(), true)
        };
        for (kind, word) in [("01", "[ALL]"), ("83", "[SINGLE|ANYONECANPAY]")] {
            assert_eq!(asm_of(&format!("{signature}{kind}")), format!("{signature}{word}"));
        }
        let unknown = format!("{signature}00");
        assert_eq!(asm_of(&unknown), unknown);
        // a negative s, a needless zero, a byte too many
        for bad in ["300602010102018001", "30080202000102020080 01", "300702010102020080aa01"] {
            let bad = bad.replace(' ', "");
            assert_eq!(asm_of(&bad), bad);
        }
    }
}
