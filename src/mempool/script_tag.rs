//! The scripts of unconfirmed outputs, identified by the beginning of their hash.

use crate::ids::{Prefix, ScriptHash};

/// The first 64 bits of a script hash. Finding a second script for a given tag takes 2^64 tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScriptTag(pub u64);

impl ScriptTag {
    /// The tag of all scripts that nobody can spend; they are not indexed.
    pub const NOBODY: ScriptTag = ScriptTag(0);

    /// The tag of a script hash.
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
