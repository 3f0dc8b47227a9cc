//! SHA-256 of one message, once and twice, at once or in pieces.

use bitcoin::hashes::{self, Hash};
use sha2::{Digest, Sha256};

/// SHA-256 of SHA-256 over the parts, as if they were one string.
pub fn sha256d(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Sha256::digest(hasher.finalize()).into()
}

/// SHA-256 of one string.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// RIPEMD-160 of SHA-256: what addresses are made of.
pub fn hash160(bytes: &[u8]) -> [u8; 20] {
    hashes::hash160::Hash::hash(bytes).to_byte_array()
}

/// SHA-256 of a string that comes in pieces. A clone goes on from the same pieces.
#[derive(Clone, Debug, Default)]
pub struct Sha256Stream(Sha256);

impl Sha256Stream {
    /// Appends a piece.
    pub fn update(&mut self, piece: impl AsRef<[u8]>) {
        self.0.update(piece);
    }

    /// The hash of all pieces.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}
