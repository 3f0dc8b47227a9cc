//! Runs that several threads encode: the same bytes as from one, whatever crosses their stripes.

use bitcoin::Network;
use hekte::error::{Error, Result};
use hekte::ids::{PrefixBits, ShortPrefix, TxNum};
use hekte::index::chunk::{Posting, Tally, TxRange};
use hekte::index::encoders::{Encoded, RunShape, Sorted, encode_in_turn};
use hekte::store::open::{Db, Mode};
use hekte::store::records::RunKind;
use hekte::store::run::fill;
use hekte_testkit::scratch::Scratch;

use crate::common::Index;
use crate::random_chains::{mixed, orderly};

const RANGE: TxRange = TxRange { first: TxNum(0), end: TxNum(200_000) };
const SHAPE: RunShape = RunShape { range: RANGE, bits: PrefixBits::new(40), expected: 230_000 };
const BLOCK: usize = 3000;

struct Part<'a>(&'a [Posting]);

impl Sorted for Part<'_> {
    fn postings(&self) -> impl Iterator<Item = Posting> {
        self.0.iter().copied()
    }

    fn next(&self) -> Option<ShortPrefix> {
        None
    }
}

/// Prefixes of one posting each, and one that goes on through many stripes.
fn postings() -> Vec<Posting> {
    let hot = (0..30_000).map(|n| Posting { prefix: ShortPrefix(1 << 39), txnum: TxNum(n * 5) });
    let lone =
        |n: u32| Posting { prefix: ShortPrefix(u64::from(n) << 22 | 1), txnum: TxNum(n % 777) };
    let mut postings: Vec<Posting> = (0..200_000).map(lone).chain(hot).collect();
    postings.sort_unstable();
    postings
}

fn encoded<R>(
    postings: &[Posting],
    threads: usize,
    consume: impl FnOnce(&mut dyn Iterator<Item = Result<Encoded>>) -> R,
) -> R {
    let inputs = (0..threads)
        .map(|turn| postings.chunks(BLOCK).skip(turn).step_by(threads).map(|part| Ok(Part(part))));
    encode_in_turn(SHAPE, inputs.collect(), |mut encoded| consume(&mut encoded))
}

#[test]
fn threads_encode_as_one_does() {
    let postings = postings();
    let one: Vec<_> = encoded(&postings, 1, |pieces| pieces.map(Result::unwrap).collect());
    for threads in [2, 3, 5, 200] {
        let several: Vec<_> =
            encoded(&postings, threads, |pieces| pieces.map(Result::unwrap).collect());
        assert!(several == one, "{threads} threads");
    }
}

#[test]
fn a_prefix_may_go_on_through_many_blocks() {
    let scratch = Scratch::new("hot");
    orderly(scratch.path(), &mixed(36, 10));
    let index = Index::over(scratch.path(), Network::Regtest);
    let db = Db::open(&index.path(), &index.params, Mode::Bulk).unwrap();
    let postings = postings();
    let change = db.change().unwrap();
    let mut wanted = Tally::default();
    postings.iter().for_each(|posting| wanted.add(*posting));
    let run = change.create_run(RunKind::Script, RANGE, wanted).unwrap();
    let run = encoded(&postings, 3, |pieces| fill(&change, run, pieces)).unwrap();
    change.commit().unwrap();
    assert!(run.complete && run.written.postings == postings.len() as u64);
    for start in [0, 1 << 39, (1 << 39) + 1] {
        let read: Vec<Posting> =
            db.stream(run, ShortPrefix(start), 4).map(Result::unwrap).collect();
        let from = postings.partition_point(|posting| posting.prefix.0 < start);
        assert!(read == postings[from..], "from {start}");
    }
}

#[test]
fn an_error_comes_out_in_its_turn() {
    let postings = postings();
    let parts: Vec<&[Posting]> = postings.chunks(BLOCK).collect();
    let damaged = || Error::Data("damaged".into());
    let part = |i: usize| if i == 5 { Err(damaged()) } else { Ok(Part(parts[i])) };
    let inputs = (0..2).map(|turn| (turn..10).step_by(2).map(part)).collect();
    let pieces: Vec<_> = encode_in_turn(SHAPE, inputs, |pieces| {
        pieces.take_while(Result::is_ok).map(Result::unwrap).collect()
    });
    let ends = pieces.iter().filter(|piece| matches!(piece, Encoded::End(..))).count();
    assert_eq!(ends, 5, "what is before the error comes first");
}
