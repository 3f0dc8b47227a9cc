//! The kinds of output that generated chains pay to, and the scripts of each.

use bitcoin::blockdata::opcodes::{OP_TRUE, all as op};
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::{CompressedPublicKey, PublicKey, ScriptBuf};

use crate::keys::KeyRing;

/// The condition for spending an output.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    P2pk,
    P2pkUncompressed,
    P2pkh,
    /// 2 of 3 keys behind a script hash.
    P2shMultisig,
    P2shP2wpkh,
    P2wpkh,
    /// 2 of 3 keys behind a witness script hash.
    P2wshMultisig,
    /// BIP86, spent by the key path only.
    P2tr,
    /// 1 of 2 keys, bare.
    Multisig,
    /// Witness script `<salt> OP_2DROP OP_TRUE`; the spender pushes 72 random bytes, as long as a
    /// signature.
    OpenWsh,
    /// The script of `OpenWsh` behind a script hash.
    OpenSh,
    /// Bare `<salt> OP_DROP OP_TRUE`; every 16th has 200 more bytes, for long undo scripts.
    OpenBare,
    /// An empty script; spent by pushing 1.
    Empty,
}

/// Kinds that need real signatures to be spent.
pub const SIGNED: [Kind; 9] = [
    Kind::P2pk,
    Kind::P2pkUncompressed,
    Kind::P2pkh,
    Kind::P2shMultisig,
    Kind::P2shP2wpkh,
    Kind::P2wpkh,
    Kind::P2wshMultisig,
    Kind::P2tr,
    Kind::Multisig,
];

/// The owner of an output: its kind, and the number of a key (or of a salt, for the open kinds).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Owner {
    pub kind: Kind,
    pub key: u64,
}

impl Kind {
    /// True if anybody can spend it; its `key` is then only a salt that makes the script unique.
    pub fn is_open(self) -> bool {
        matches!(self, Kind::OpenWsh | Kind::OpenSh | Kind::OpenBare | Kind::Empty)
    }

    /// Upper bound of the signature operation cost of one output (consensus counts bare scripts).
    pub fn output_sigops(self) -> u64 {
        match self {
            Kind::P2pk | Kind::P2pkUncompressed | Kind::P2pkh => 4,
            Kind::Multisig => 80,
            _ => 0,
        }
    }

    /// Upper bound of the signature operation cost of spending one output.
    pub fn input_sigops(self) -> u64 {
        match self {
            Kind::P2shMultisig => 12,
            Kind::P2wshMultisig => 3,
            Kind::P2shP2wpkh | Kind::P2wpkh => 1,
            _ => 0,
        }
    }
}

/// The scriptPubKey of an owner.
pub fn script_pubkey(ring: &mut KeyRing, owner: Owner) -> ScriptBuf {
    if owner.kind.is_open() {
        return match owner.kind {
            Kind::OpenWsh => ScriptBuf::new_p2wsh(&open_script(owner.key).wscript_hash()),
            Kind::OpenSh => ScriptBuf::new_p2sh(&open_script(owner.key).script_hash()),
            Kind::OpenBare => open_bare(owner.key),
            _ => ScriptBuf::new(),
        };
    }
    ring.script(owner)
}

/// Like [`script_pubkey`], but built anew each time, and only for kinds that need a key.
pub(crate) fn build(ring: &mut KeyRing, owner: Owner) -> ScriptBuf {
    let public = ring.public(owner.key);
    match owner.kind {
        Kind::P2pk => ScriptBuf::new_p2pk(&PublicKey::new(public)),
        Kind::P2pkUncompressed => ScriptBuf::new_p2pk(&PublicKey::new_uncompressed(public)),
        Kind::P2pkh => ScriptBuf::new_p2pkh(&PublicKey::new(public).pubkey_hash()),
        Kind::P2wpkh => ScriptBuf::new_p2wpkh(&CompressedPublicKey(public).wpubkey_hash()),
        Kind::P2tr => ScriptBuf::new_p2tr_tweaked(ring.taproot_output(owner.key)),
        Kind::Multisig => multisig(ring, 1, 2, owner.key),
        Kind::P2wshMultisig => ScriptBuf::new_p2wsh(&redeem(ring, owner).wscript_hash()),
        Kind::P2shMultisig | Kind::P2shP2wpkh => {
            ScriptBuf::new_p2sh(&redeem(ring, owner).script_hash())
        }
        _ => unreachable!("open kinds have no key"),
    }
}

/// The script behind the hash, for the kinds that have one.
pub fn redeem(ring: &mut KeyRing, owner: Owner) -> ScriptBuf {
    match owner.kind {
        Kind::OpenWsh | Kind::OpenSh => open_script(owner.key),
        Kind::P2shP2wpkh => ring.script(Owner { kind: Kind::P2wpkh, key: owner.key }),
        Kind::P2shMultisig | Kind::P2wshMultisig => multisig(ring, 2, 3, owner.key),
        _ => ring.script(owner),
    }
}

fn multisig(ring: &mut KeyRing, need: i64, of: u64, first: u64) -> ScriptBuf {
    let mut script = Builder::new().push_int(need);
    for key in first..first + of {
        script = script.push_key(&PublicKey::new(ring.public(key)));
    }
    script.push_int(of as i64).push_opcode(op::OP_CHECKMULTISIG).into_script()
}

fn open_script(salt: u64) -> ScriptBuf {
    let salt = salt.to_be_bytes();
    Builder::new().push_slice(salt).push_opcode(op::OP_2DROP).push_opcode(OP_TRUE).into_script()
}

fn open_bare(salt: u64) -> ScriptBuf {
    let mut script = Builder::new();
    if salt.is_multiple_of(16) {
        script = script.push_slice(push(vec![0xab; 200])).push_opcode(op::OP_DROP);
    }
    let salt = salt.to_be_bytes();
    script.push_slice(salt).push_opcode(op::OP_DROP).push_opcode(OP_TRUE).into_script()
}

/// The bytes as one script push.
pub(crate) fn push(bytes: Vec<u8>) -> PushBytesBuf {
    PushBytesBuf::try_from(bytes).expect("pushes are short")
}
