//! The scripts of unconfirmed outputs, told apart by the beginning of their hash.

use crate::ids::{Prefix, ScriptHash};

/// The first 64 bits of a script hash. Two scripts that share them would take 2^64 tries to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScriptTag(pub u64);

impl ScriptTag {
    /// Stands for a script that nobody can spend, and so is not indexed.
    pub const NOBODY: ScriptTag = ScriptTag(0);

    /// Of a script hash.
    pub fn of(script: &ScriptHash) -> ScriptTag {
        ScriptTag(first_eight(&script.0))
    }

    /// The prefix under which the index files the script.
    pub fn prefix(self) -> Prefix {
        Prefix(self.0 >> 24)
    }
}

/// The first 64 bits of a hash.
pub(super) fn first_eight(hash: &[u8; 32]) -> u64 {
    hash.first_chunk().map_or(0, |eight| u64::from_be_bytes(*eight))
}
