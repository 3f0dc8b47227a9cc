//! Where in the mempool transactions are, filed under tags: eight bytes for each.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// Bits of a tag; two things may share one, so what is found must be looked at.
const TAG_BITS: u32 = 40;
const TAG_MAX: u64 = (1 << TAG_BITS) - 1;
/// Outputs of one transaction that have tags of their own: as many as a relayed transaction has.
/// The tag of an output is that of its transaction plus its number, so the outputs of a transaction
/// take up a range of tags. The smaller the range, the harder it is to make a txid whose outputs
/// fall into the range of another transaction.
const OUTPUTS_TOLD_APART: u32 = 1 << 12;
/// The rest of the word is the place: more transactions than any node keeps.
const SLOT_BITS: u32 = u64::BITS - TAG_BITS;

/// The tag for the first 64 bits of a hash.
pub fn tag(first: u64) -> u64 {
    first >> (u64::BITS - TAG_BITS)
}

/// The tag for an output; those of one transaction are in a row.
pub fn out_tag(first: u64, vout: u32) -> u64 {
    (tag(first) + u64::from(vout.min(OUTPUTS_TOLD_APART - 1))).min(TAG_MAX)
}

/// The tags of all outputs of a transaction.
pub fn tags_of_outputs(first: u64) -> RangeInclusive<u64> {
    out_tag(first, 0)..=out_tag(first, u32::MAX)
}

/// Number of a place in the list of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// `None` if there are too many.
    pub fn new(index: usize) -> Option<Slot> {
        u32::try_from(index).ok().filter(|index| index >> SLOT_BITS == 0).map(Slot)
    }

    /// In the list.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Places by tag. The same place under the same tag counts once.
#[derive(Debug, Default)]
pub struct Places(BTreeSet<u64>);

impl Places {
    /// Files a place.
    pub fn insert(&mut self, tag: u64, slot: Slot) {
        self.0.insert(word(tag, slot));
    }

    /// Takes it out, if it is there.
    pub fn remove(&mut self, tag: u64, slot: Slot) {
        self.0.remove(&word(tag, slot));
    }

    /// All places under a tag.
    pub fn at(&self, tag: u64) -> impl Iterator<Item = Slot> {
        self.between(tag..=tag)
    }

    /// All places under a row of tags.
    pub fn between(&self, tags: RangeInclusive<u64>) -> impl Iterator<Item = Slot> {
        let (first, last) = ((*tags.start()).min(TAG_MAX), (*tags.end()).min(TAG_MAX));
        let words = first << SLOT_BITS..=last << SLOT_BITS | SLOT_MAX;
        self.0.range(words).map(|word| Slot((word & SLOT_MAX) as u32))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const SLOT_MAX: u64 = (1 << SLOT_BITS) - 1;

fn word(tag: u64, slot: Slot) -> u64 {
    tag.min(TAG_MAX) << SLOT_BITS | u64::from(slot.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn tags_and_places_keep_apart() {
        let mut places = Places::default();
        let slots = [0, 1, SLOT_MAX as usize].map(|n| Slot::new(n).unwrap());
        assert_eq!(Slot::new(SLOT_MAX as usize + 1), None);
        for tag in [0, 1, 7, TAG_MAX] {
            slots.iter().for_each(|slot| places.insert(tag, *slot));
        }
        places.insert(7, slots[0]);
        assert_eq!(places.len(), 12);
        assert!(places.at(7).eq(slots) && places.at(TAG_MAX).eq(slots));
        assert_eq!(places.at(2).count(), 0);
        assert_eq!(places.between(1..=u64::MAX).count(), 9);
        places.remove(7, slots[1]);
        assert!(places.at(7).eq([slots[0], slots[2]]));
    }

    #[test]
    fn outputs_are_in_a_row_that_does_not_overflow() {
        for first in [0, 5 << 40, u64::MAX] {
            let all = tags_of_outputs(first);
            let some = [0, 1, 4095, 4096, u32::MAX].map(|vout| out_tag(first, vout));
            assert!(some.iter().all(|tag| all.contains(tag) && *tag <= TAG_MAX), "{some:?}");
            assert_eq!(some[0], tag(first));
        }
        assert_ne!(out_tag(0, 0), out_tag(0, 1));
    }
}
