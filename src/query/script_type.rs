//! What kind of script an output pays, and its address, as bitcoind names them.

use bitcoin::script::Instruction;
use bitcoin::{Address, Network, Script, opcodes};

/// An output that anybody may spend to pay a fee (BIP433).
const PAY_TO_ANCHOR: &[u8] = &[0x51, 0x02, 0x4e, 0x73];

/// Whether nothing but data follows the first opcode.
fn only_pushes(script: &Script) -> bool {
    let is_push = |byte: u8| byte <= opcodes::all::OP_PUSHNUM_16.to_u8();
    script.instructions().skip(1).all(|instruction| match instruction {
        Ok(Instruction::PushBytes(_)) => true,
        Ok(Instruction::Op(opcode)) => is_push(opcode.to_u8()),
        Err(_) => false,
    })
}

/// The type of a script, by the names in Core's script/solver.cpp, GetTxnOutputType.
pub fn script_type(script: &Script) -> &'static str {
    if script.is_p2pk() {
        "pubkey"
    } else if script.is_p2pkh() {
        "pubkeyhash"
    } else if script.is_p2sh() {
        "scripthash"
    } else if script.is_p2wpkh() {
        "witness_v0_keyhash"
    } else if script.is_p2wsh() {
        "witness_v0_scripthash"
    } else if script.is_p2tr() {
        "witness_v1_taproot"
    } else if script.as_bytes() == PAY_TO_ANCHOR {
        "anchor"
    } else if script.is_witness_program() {
        "witness_unknown"
    } else if script.is_multisig() {
        "multisig"
    } else if script.is_op_return() && only_pushes(script) {
        "nulldata"
    } else {
        "nonstandard"
    }
}

/// The address that pays the script; bitcoind gives none for a plain public key.
pub fn address(script: &Script, network: Network) -> Option<Address> {
    match script.is_p2pk() {
        true => None,
        false => Address::from_script(script, network).ok(),
    }
}
