//! The newtypes that cross module borders: heights, transaction numbers, script hashes, prefixes.

use std::fmt;
use std::str::FromStr;

use crate::hash::sha256;
use bitcoin::hashes::Hash;

/// The id of a transaction, the hash of a block, and an output by txid and index.
///
/// All hashes are held in internal byte order: as the hash function gives them, and as blocks store
/// them. Only `Display`, `Debug` and `FromStr` use the order that users see: the hexadecimal digits
/// of the reversed bytes.
pub use bitcoin::{BlockHash, OutPoint, Txid};

/// Height of a block; genesis is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(pub u32);

impl Height {
    /// The next height; saturates at `u32::MAX`, which no chain reaches.
    pub fn next(self) -> Height {
        Height(self.0.saturating_add(1))
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many blocks there are, genesis included: one more than the height of the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockCount(pub u32);

impl BlockCount {
    /// The blocks up to a height, that of the last one included.
    pub fn up_to(tip: Height) -> BlockCount {
        BlockCount(tip.next().0)
    }

    /// The height of the last block, if there is any.
    pub fn tip(self) -> Option<Height> {
        self.0.checked_sub(1).map(Height)
    }

    /// The height of the block that comes next.
    pub fn next(self) -> Height {
        Height(self.0)
    }

    /// By how many blocks this is more than `fewer`; 0 if it is not.
    pub fn above(self, fewer: BlockCount) -> u32 {
        self.0.saturating_sub(fewer.0)
    }
}

impl fmt::Display for BlockCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a transaction in chain order; the genesis coinbase is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxNum(pub u32);

impl fmt::Display for TxNum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// First 40 bits of a script hash or txid (in internal byte order), as a number below 2^40.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(pub u64);

impl Prefix {
    /// One more than the largest prefix.
    pub const END: u64 = 1 << 40;

    /// The prefix of a txid.
    pub fn of_txid(txid: &Txid) -> Prefix {
        Prefix::of(txid.as_byte_array())
    }

    /// The prefix of a hash in internal byte order.
    pub fn of(hash: &[u8; 32]) -> Prefix {
        let [a, b, c, d, e, ..] = *hash;
        Prefix(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
    }
}

/// How many bits of a prefix the runs of an index hold. The number depends on the network alone, so
/// that two indexes of one chain are equal. A few bits more than it takes to count the postings are
/// enough: another script that shares them costs a read, but no answer, since whole scripts are
/// compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixBits(u8);

impl PrefixBits {
    /// Fewer would make strangers frequent; more than a [`Prefix`] has there are not.
    pub const fn new(bits: u8) -> PrefixBits {
        assert!(bits >= 16 && bits <= 40, "between 16 and 40 bits");
        PrefixBits(bits)
    }

    /// The first bits of a prefix.
    pub const fn shorten(self, prefix: Prefix) -> ShortPrefix {
        ShortPrefix(prefix.0 >> (40 - self.0))
    }

    /// One more than the largest shortened prefix.
    pub const fn end(self) -> u64 {
        1 << self.0
    }

    /// The number of bits.
    pub const fn count(self) -> u32 {
        self.0 as u32
    }
}

/// The first [`PrefixBits`] of a prefix, as a number: what runs are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortPrefix(pub u64);

/// SHA-256 of a scriptPubKey in internal byte order; shown byte-reversed (protocol basics, "Script
/// hashes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScriptHash(pub [u8; 32]);

impl ScriptHash {
    /// Hash of a scriptPubKey.
    pub fn of(script: &[u8]) -> ScriptHash {
        ScriptHash(sha256(script))
    }

    /// The 40-bit prefix under which the index files it.
    pub fn prefix(&self) -> Prefix {
        Prefix::of(&self.0)
    }
}

impl fmt::Display for ScriptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.iter().rev() {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a hash of 64 hexadecimal digits")]
pub struct NotAHash;

impl FromStr for ScriptHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(NotAHash);
        }
        let mut hash = [0u8; 32];
        for (byte, pair) in hash.iter_mut().rev().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16).ok_or(NotAHash)?;
            let low = char::from(pair[1]).to_digit(16).ok_or(NotAHash)?;
            *byte = (high * 16 + low) as u8;
        }
        Ok(ScriptHash(hash))
    }
}

/// The 80 bytes of a block header as they stand in the chain.
pub type HeaderBytes = [u8; 80];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_hash_of_the_genesis_address() {
        // protocol basics: P2PKH of 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa
        let script = [
            &[0x76, 0xa9, 0x14][..],
            &[
                0x62, 0xe9, 0x07, 0xb1, 0x5c, 0xbf, 0x27, 0xd5, 0x42, 0x53, 0x99, 0xeb, 0xf6, 0xf0,
                0xfb, 0x50, 0xeb, 0xb8, 0x8f, 0x18,
            ],
            &[0x88, 0xac],
        ]
        .concat();
        let text = "8b01df4e368ea28f8dc0423bcf7a4923e3a12d307c875e47a0cfbf90b5c39161";
        assert_eq!(ScriptHash::of(&script).to_string(), text);
        assert_eq!(text.parse(), Ok(ScriptHash::of(&script)));
        assert_eq!("8b01".parse::<ScriptHash>(), Err(NotAHash));
        assert_eq!("é".repeat(32).parse::<ScriptHash>(), Err(NotAHash));
    }
}
