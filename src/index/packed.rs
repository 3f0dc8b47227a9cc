//! Packs a posting into one word while it is in memory: the prefix in the high bits, the position
//! of a transaction in the low ones.

use crate::ids::{Prefix, TxNum};

/// Bits of the position; the other 40 are the prefix.
const POS_BITS: u32 = 24;
const POS_MASK: u64 = (1 << POS_BITS) - 1;

/// The number of positions that can be packed, from 0 on. A block is too small to have that many
/// transactions, and a batch ends before it has that many.
pub const POSITIONS: u32 = 1 << POS_BITS;

/// A prefix, and the position of a transaction in its block or batch. The order is that of the
/// prefixes, then that of the positions, so a list of these words is sorted as fast as plain
/// numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
pub struct PackedPosting(u64);

impl PackedPosting {
    /// Packs a prefix and a position below [`POSITIONS`].
    #[inline]
    pub fn new(prefix: Prefix, pos: u32) -> PackedPosting {
        PackedPosting(prefix.0 << POS_BITS | u64::from(pos) & POS_MASK)
    }

    /// The prefix.
    #[inline]
    pub fn prefix(self) -> Prefix {
        Prefix(self.0 >> POS_BITS)
    }

    /// The position.
    #[inline]
    pub fn pos(self) -> u32 {
        (self.0 & POS_MASK) as u32
    }

    /// The number of the transaction, where the one at position 0 has number `first`.
    #[inline]
    pub fn txnum(self, first: TxNum) -> TxNum {
        TxNum(first.0 + self.pos())
    }

    /// This posting with its position counted from an earlier transaction, `txs` before the one
    /// that it was counted from. The sum must stay below [`POSITIONS`].
    #[inline]
    pub fn behind(self, txs: u32) -> PackedPosting {
        debug_assert!(u64::from(self.pos()) + u64::from(txs) <= POS_MASK);
        PackedPosting(self.0 + u64::from(txs))
    }

    /// Sets the prefix of a posting that was packed with prefix 0.
    #[inline]
    pub fn set_prefix(&mut self, prefix: Prefix) {
        self.0 |= prefix.0 << POS_BITS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_and_sorts_by_prefix_first() {
        let last = Prefix(Prefix::END - 1);
        for (prefix, pos) in [(Prefix(0), 0), (Prefix(7), POSITIONS - 1), (last, 5)] {
            let packed = PackedPosting::new(prefix, pos);
            assert_eq!((packed.prefix(), packed.pos()), (prefix, pos));
            let mut later = PackedPosting::new(Prefix(0), pos);
            later.set_prefix(prefix);
            assert_eq!(later, packed);
        }
        let moved = PackedPosting::new(last, 5).behind(3);
        assert_eq!((moved.prefix(), moved.txnum(TxNum(100))), (last, TxNum(108)));
        let small = PackedPosting::new(Prefix(1), POSITIONS - 1);
        assert!(small < PackedPosting::new(Prefix(2), 0));
    }
}
