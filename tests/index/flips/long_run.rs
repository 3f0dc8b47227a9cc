//! Flips in a run of some 300 000 postings: thousands of prefixes are looked for in it each time.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::Network;
use hekte::ids::{Prefix, ShortPrefix, TxNum};
use hekte::index::chunk::{Posting, Tally, TxRange};
use hekte::store::open::{Db, Mode};
use hekte::store::records::{RunInfo, RunKind};
use hekte::store::stream::STREAM_ROWS;
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;

use crate::common::Index;

use super::btree::{Bit, Steering};
use super::ends::{End, Ended, campaign, failed, flips_wanted};
use super::world::write_run;

const POSTINGS: u32 = 300_000;
/// Prefixes that are looked for after each flip.
const ASKED: usize = 2000;
/// Prefixes of so many postings that these fill chunks.
const HOT: [Prefix; 2] = [Prefix(0x31_4159_2653), Prefix(0xfe_dcba_9876)];

struct LongRun {
    index: Index,
    run: RunInfo,
    /// What is to be found.
    right: BTreeMap<ShortPrefix, Vec<TxNum>>,
    asked: Vec<Prefix>,
}

impl LongRun {
    fn make(blocks: &Scratch) -> LongRun {
        let index = Index::over(blocks.path(), Network::Regtest);
        let mut rng = Rng::new(4);
        let db = index.db(Mode::Bulk);
        let (mut postings, mut asked) = (Vec::new(), Vec::from(HOT));
        for n in 0..POSTINGS {
            let prefix = match n % 40 {
                0 => HOT[rng.below(2) as usize],
                _ => Prefix(rng.below(Prefix::END)),
            };
            if n % (POSTINGS / ASKED as u32 * 2) == 1 {
                // one that is there, and one that is most likely not
                asked.extend([prefix, Prefix(rng.below(Prefix::END))]);
            }
            postings.push(Posting { prefix: db.prefix_bits().shorten(prefix), txnum: TxNum(n) });
        }
        let mut right: BTreeMap<ShortPrefix, Vec<TxNum>> = BTreeMap::new();
        for Posting { prefix, txnum } in &postings {
            right.entry(*prefix).or_default().push(*txnum);
        }
        let range = TxRange { first: TxNum(0), end: TxNum(POSTINGS) };
        let like = RunInfo::empty(0, RunKind::Script, range, Tally::default());
        let run = write_run(&db, like, postings).unwrap();
        LongRun { index, run, right, asked }
    }

    /// Looks for everything, then streams everything.
    fn search(&self, bit: &Bit) -> Ended {
        let scratch = Scratch::new("long-run");
        let path = scratch.join("copy.sqlite");
        std::fs::copy(self.index.path(), &path).unwrap();
        bit.flip(&path);
        let db = match Db::open(&path, &self.index.params, Mode::Read) {
            Ok(db) => db,
            Err(error) => return failed(&error),
        };
        match db.runs() {
            Ok(runs) if runs == [self.run] => {}
            Ok(runs) => return Err(format!("other runs: {runs:?}")),
            Err(error) => return failed(&error),
        }
        let mut refused = 0;
        for prefix in &self.asked {
            let mut found = Vec::new();
            match db.find(&self.run, *prefix, TxNum(0), usize::MAX, &mut found) {
                Err(error) => {
                    failed(&error)?;
                    refused += 1;
                }
                Ok(()) => {
                    let right = self.right.get(&db.prefix_bits().shorten(*prefix));
                    if found != right.map_or(&[][..], Vec::as_slice) {
                        return Err(format!("{prefix:?}: {found:?}, which should be {right:?}"));
                    }
                }
            }
        }
        let mut right =
            self.right.iter().flat_map(|(prefix, all)| all.iter().map(|n| (*prefix, *n)));
        for posting in db.stream(self.run, ShortPrefix(0), STREAM_ROWS) {
            match posting {
                Err(error) => return failed(&error).map(|_| End::Refused),
                Ok(Posting { prefix, txnum }) if right.next() == Some((prefix, txnum)) => {}
                Ok(other) => return Err(format!("streamed {other:?}")),
            }
        }
        match (refused, right.next()) {
            (0, None) => Ok(End::Right),
            (_, None) => Ok(End::Refused),
            (_, Some(lost)) => Err(format!("a stream ends before {lost:?}")),
        }
    }
}

#[test]
fn a_flipped_bit_that_steers_searches_in_a_long_run() {
    let blocks = Scratch::new("no-blocks");
    let (run, mut rng) = (Arc::new(LongRun::make(&blocks)), Rng::new(5));
    let steering = Steering::of(&run.index.path(), |_| true);
    assert!(steering.levels > 1, "{steering:?}");
    let bits = (0..flips_wanted(500, 20)).map(|_| steering.pick(&mut rng));
    campaign("bits that steer searches in a long run", bits, move |bit| run.search(bit));
}
