//! SHA-256 of one message, once and twice.

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
