//! Which scripts and transactions a change may have altered, as a list of prefixes or "any".

use std::sync::Arc;

use crate::ids::Prefix;
use crate::limits::TOUCHED_MAX;

/// The scripts and transactions whose answers a change may have altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Those whose script hash or txid begins with one of these prefixes, sorted and without
    /// repetitions. Nothing else has changed.
    These(Arc<[Prefix]>),
    /// Too many to list, or not known: every script and transaction may have changed.
    Any,
}

impl Touched {
    /// Whether the scripts or transactions with this prefix may have changed.
    pub fn touches(&self, prefix: Prefix) -> bool {
        match self {
            Touched::These(prefixes) => prefixes.binary_search(&prefix).is_ok(),
            Touched::Any => true,
        }
    }
}

impl FromIterator<Prefix> for Touched {
    /// Lists prefixes that come in any order and may repeat.
    fn from_iter<I: IntoIterator<Item = Prefix>>(prefixes: I) -> Touched {
        let mut list = TouchedList::default();
        list.extend(prefixes);
        list.finish()
    }
}

/// Collects a [`Touched`]. It holds at most [`TOUCHED_MAX`] prefixes, repetitions included: one
/// more makes it `Any`, and it stays so.
#[derive(Debug, Default)]
pub struct TouchedList {
    prefixes: Vec<Prefix>,
    any: bool,
}

impl TouchedList {
    /// A list that is `Any` already, for when the changes are not known.
    pub fn any() -> TouchedList {
        TouchedList { prefixes: Vec::new(), any: true }
    }

    /// Every script and transaction may have changed.
    pub fn add_any(&mut self) {
        *self = TouchedList::any();
    }

    /// Adds all that `other` touches.
    pub fn merge(&mut self, other: &Touched) {
        match other {
            Touched::These(prefixes) => self.extend(prefixes.iter().copied()),
            Touched::Any => self.add_any(),
        }
    }

    /// What was collected.
    pub fn finish(mut self) -> Touched {
        if self.any {
            return Touched::Any;
        }
        self.prefixes.sort_unstable();
        self.prefixes.dedup();
        Touched::These(self.prefixes.into())
    }
}

impl Extend<Prefix> for TouchedList {
    fn extend<I: IntoIterator<Item = Prefix>>(&mut self, prefixes: I) {
        if self.any {
            return;
        }
        // one beyond the bound shows that there are more; the others need not be held
        let room = (TOUCHED_MAX + 1).saturating_sub(self.prefixes.len());
        self.prefixes.extend(prefixes.into_iter().take(room));
        if self.prefixes.len() > TOUCHED_MAX {
            self.add_any();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_can_be_listed_is_any() {
        let many = |count: usize| Touched::from_iter((0..count as u64).map(Prefix));
        assert!(!many(3).touches(Prefix(3)) && many(3).touches(Prefix(2)));
        assert_ne!(many(TOUCHED_MAX), Touched::Any);
        assert_eq!(many(TOUCHED_MAX + 1), Touched::Any);
        let mut list = TouchedList::default();
        list.merge(&many(TOUCHED_MAX));
        list.merge(&Touched::from_iter([Prefix(TOUCHED_MAX as u64)]));
        list.merge(&many(1));
        assert_eq!(list.finish(), Touched::Any);
    }
}
