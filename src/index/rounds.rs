//! Merges sorted streams of postings. Each stream is decoded a little ahead; everything up to the
//! smallest of the last decoded postings is complete, and is sorted at once.
//!
//! That is a few steps a posting however many streams there are, where a heap takes more with every
//! doubling of them. Prefixes with the same first byte, a section, are taken together: what is left
//! of prefix and txnum then fits into 64 bits.

use std::mem;
use std::ops::Range;

use crate::ids::{ShortPrefix, TxNum};

use super::chunk::Posting;
use super::encoders::Sorted;

/// Bits of a prefix that differ within a section.
const SECTION_BITS: u32 = 32;
/// However many streams there are, each is decoded so far ahead.
const AHEAD_MIN: usize = 32;

/// Consecutive postings in ascending order: as many as one thread encodes in its turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stripe {
    packed: Vec<u64>,
    /// Sections, and where in `packed` they are.
    sections: Vec<(u64, Range<usize>)>,
    next: Option<ShortPrefix>,
}

impl Stripe {
    fn extend(&mut self, section: u64, packed: &[u64]) {
        let start = self.packed.len();
        self.packed.extend_from_slice(packed);
        let end = self.packed.len();
        match self.sections.last_mut() {
            Some((last, part)) if *last == section => part.end = end,
            _ => self.sections.push((section, start..end)),
        }
    }

    fn last_prefix(&self) -> Option<ShortPrefix> {
        let (section, _) = self.sections.last()?;
        Some(unpack(*section, *self.packed.last()?).prefix)
    }
}

impl Sorted for Stripe {
    fn postings(&self) -> impl Iterator<Item = Posting> {
        self.sections.iter().flat_map(|(section, part)| {
            self.packed[part.clone()].iter().map(|packed| unpack(*section, *packed))
        })
    }

    fn next(&self) -> Option<ShortPrefix> {
        self.next
    }
}

fn section_of(posting: &Posting) -> u64 {
    posting.prefix.0 >> SECTION_BITS
}

fn pack(posting: &Posting) -> u64 {
    posting.prefix.0 << u32::BITS | u64::from(posting.txnum.0)
}

fn unpack(section: u64, packed: u64) -> Posting {
    let prefix = ShortPrefix(section << SECTION_BITS | packed >> u32::BITS);
    Posting { prefix, txnum: TxNum(packed as u32) }
}

/// A stream, and what is decoded of it.
struct Ahead<S> {
    stream: S,
    /// Postings of one section; the first `taken` are done with.
    decoded: Vec<u64>,
    taken: usize,
    /// The posting behind them, of any section.
    next: Option<Posting>,
}

impl<S, E> Ahead<S>
where
    S: Iterator<Item = Result<Posting, E>>,
{
    /// Decodes postings of a section until there are `count`, or all.
    fn fill(&mut self, section: u64, count: usize) -> Result<(), E> {
        if self.decoded.len() - self.taken > count / 2 {
            return Ok(());
        }
        self.decoded.drain(..self.taken);
        self.taken = 0;
        while let Some(next) = self.next.filter(|next| section_of(next) == section) {
            if self.decoded.len() >= count {
                break;
            }
            self.decoded.push(pack(&next));
            self.next = self.stream.next().transpose()?;
        }
        Ok(())
    }

    /// The last decoded posting, if others of the section may follow it.
    fn limit(&self, section: u64) -> Option<u64> {
        self.next.filter(|next| section_of(next) == section)?;
        self.decoded.last().copied()
    }

    /// What is decoded up to `limit`, which is then done with.
    fn take(&mut self, limit: u64) -> &[u64] {
        let left = &self.decoded[self.taken..];
        let count = left.partition_point(|packed| *packed <= limit);
        self.taken += count;
        &left[..count]
    }
}

/// What all streams hold, in ascending order and in stripes, which depend on nothing but the
/// postings. A stripe ends between two prefixes, unless one alone fills it twice.
pub struct Rounds<S> {
    streams: Vec<Ahead<S>>,
    /// Postings of each that are decoded ahead.
    ahead: usize,
    section: u64,
    /// What was sorted last; the first `used` are in stripes.
    round: Vec<u64>,
    used: usize,
    stripe: Stripe,
    stripe_postings: usize,
}

impl<S, E> Rounds<S>
where
    S: Iterator<Item = Result<Posting, E>>,
{
    /// Stripes of `stripe_postings`; about so many are decoded ahead, and so many sorted at once.
    pub fn new(streams: Vec<S>, stripe_postings: usize) -> Result<Self, E> {
        let ahead = (stripe_postings / streams.len().max(1)).max(AHEAD_MIN);
        let begin = |mut stream: S| {
            let next = stream.next().transpose()?;
            Ok(Ahead { stream, decoded: Vec::with_capacity(ahead), taken: 0, next })
        };
        let round = Vec::with_capacity(ahead * streams.len());
        Ok(Rounds {
            streams: streams.into_iter().map(begin).collect::<Result<_, E>>()?,
            ahead,
            section: 0,
            round,
            used: 0,
            stripe: Stripe::default(),
            stripe_postings: stripe_postings.max(1),
        })
    }

    /// Sorts what comes next; `false` at the end.
    fn sort_round(&mut self) -> Result<bool, E> {
        self.round.clear();
        self.used = 0;
        loop {
            let mut limit = u64::MAX;
            for stream in &mut self.streams {
                stream.fill(self.section, self.ahead)?;
                limit = limit.min(stream.limit(self.section).unwrap_or(limit));
            }
            for stream in &mut self.streams {
                self.round.extend_from_slice(stream.take(limit));
            }
            if !self.round.is_empty() {
                // finds the ascending stretches and merges them
                self.round.sort();
                return Ok(true);
            }
            let sections = self.streams.iter().filter_map(|stream| stream.next.as_ref());
            match sections.map(section_of).min() {
                Some(section) => self.section = section,
                None => return Ok(false),
            }
        }
    }

    fn next_stripe(&mut self) -> Result<Option<Stripe>, E> {
        loop {
            if self.used == self.round.len() && !self.sort_round()? {
                return Ok(
                    Some(mem::take(&mut self.stripe)).filter(|stripe| !stripe.packed.is_empty())
                );
            }
            let (rest, len) = (&self.round[self.used..], self.stripe.packed.len());
            let Some(first) = rest.first() else { continue };
            let prefix = unpack(self.section, *first).prefix;
            let goes_on = self.stripe.last_prefix() == Some(prefix);
            let full = len >= self.stripe_postings;
            if full && (!goes_on || len >= self.stripe_postings * 2) {
                self.stripe.next = (!goes_on).then_some(prefix);
                let empty = Stripe { packed: Vec::with_capacity(len), ..Stripe::default() };
                return Ok(Some(mem::replace(&mut self.stripe, empty)));
            }
            let room = match full {
                false => self.stripe_postings - len,
                true => self.stripe_postings * 2 - len,
            };
            let fits = rest.iter().take(room);
            let count = match full {
                false => fits.len(),
                true => fits.take_while(|packed| *packed >> 32 == first >> 32).count(),
            };
            self.stripe.extend(self.section, &rest[..count]);
            self.used += count;
        }
    }
}

impl<S, E> Iterator for Rounds<S>
where
    S: Iterator<Item = Result<Posting, E>>,
{
    type Item = Result<Stripe, E>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_stripe().transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Prefix;

    fn stripes(streams: Vec<Vec<Posting>>, size: usize) -> Vec<Stripe> {
        let streams = streams.into_iter().map(|stream| stream.into_iter().map(Ok::<_, ()>));
        Rounds::new(streams.collect(), size).unwrap().map(Result::unwrap).collect()
    }

    /// The same postings in so many streams, each of its own range of transactions.
    fn split(postings: &[Posting], streams: u32) -> Vec<Vec<Posting>> {
        let of = |stream| postings.iter().filter(move |p| p.txnum.0 % streams == stream).copied();
        (0..streams).map(|stream| of(stream).collect()).collect()
    }

    proptest! {
        #[test]
        fn stripes_are_made_of_what_the_streams_hold(
            pairs in prop::collection::btree_set(
                (prop_oneof![0..Prefix::END, 7..9u64, Just(Prefix::END - 1)], 0..100_000u32),
                0..2500,
            ),
            size in 1..400usize,
        ) {
            let posting = |(prefix, txnum): &(u64, u32)| Posting {
                prefix: ShortPrefix(*prefix),
                txnum: TxNum(*txnum),
            };
            let postings: Vec<Posting> = pairs.iter().map(posting).collect();
            let one = stripes(split(&postings, 1), size);
            let all: Vec<Posting> = one.iter().flat_map(Stripe::postings).collect();
            prop_assert_eq!(&all, &postings);
            for streams in [2, 3, 50] {
                prop_assert_eq!(&stripes(split(&postings, streams), size), &one, "{}", streams);
            }
            for (i, stripe) in one.iter().enumerate() {
                let len = stripe.packed.len();
                let last = i + 1 == one.len();
                prop_assert!(last || len >= size && (stripe.next.is_some() || len == 2 * size));
                // who goes on behind a stripe meets the same stripes
                let Some(next) = stripe.next else { continue };
                let rest: Vec<_> = postings.iter().copied().filter(|p| p.prefix >= next).collect();
                prop_assert_eq!(&stripes(split(&rest, 2), size)[..], &one[i + 1..]);
            }
        }
    }

    #[test]
    fn an_error_comes_out() {
        let good = Posting { prefix: ShortPrefix(1), txnum: TxNum(1) };
        for bad in 0..3 {
            let stream = (0..3).map(|i| if i == bad { Err("damaged") } else { Ok(good) });
            let found = match Rounds::new(vec![stream.collect::<Vec<_>>().into_iter()], 10) {
                Ok(mut rounds) => rounds.find_map(Result::err),
                Err(error) => Some(error),
            };
            assert_eq!(found, Some("damaged"));
        }
    }
}
