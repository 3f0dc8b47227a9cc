//! Flips in the runs of a build before they are merged to one: nothing is lost on the way.

use std::path::PathBuf;
use std::sync::Arc;

use bitcoin::Network;
use hekte::inspect::digest::IndexDigest;
use hekte::store::folder::{BULK_FILE, mark_damaged, remove_if_marked_damaged};
use hekte::store::open::Mode;
use hekte::store::records::{BuildState, State};
use hekte::sync::build::build::Outcome;
use hekte::sync::build::plan::Plan;
use hekte_testkit::chain::{ChainSpec, Shape, generate};
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;

use crate::common::{Index, ONE_BATCH, copy_folder};
use crate::damage::flip;
use crate::random_chains::orderly;

use super::btree::{Bit, Steering};
use super::ends::{End, Ended, campaign, failed, flips_wanted};
use super::world::sound_is_right;

/// The size of a batch: runs of it have inner pages, and there are several.
const BATCH: usize = 30_000;
/// Every so many rebuilds, one is done.
const REBUILDS: u64 = 8;

/// A build with all its runs beside it, ready to be merged.
struct Unmerged {
    _blocks: Scratch,
    index: Index,
    plan: Plan,
    right: IndexDigest,
}

impl Unmerged {
    fn make() -> Unmerged {
        let (shape, keep_undo) = (Shape::Bench, 16);
        let spec =
            ChainSpec { seed: 32, blocks: 130, txs_per_block: 350, shape, ..Default::default() };
        let blocks = Scratch::new("flips-bulk");
        orderly(blocks.path(), &generate(&ChainSpec { keep_undo, ..spec }));
        let right = Index::over(blocks.path(), Network::Regtest).built(ONE_BATCH).digest();
        let index = Index::over(blocks.path(), Network::Regtest);
        let plan = index.plan().unwrap();
        // a block that cannot be read holds the build up until the file is mended
        let file = blocks.join("blk00000.dat");
        let last = std::fs::metadata(&file).unwrap().len() - 2;
        flip(&file, last);
        let outcome = index.run(&plan, BATCH, false).unwrap();
        assert!(matches!(outcome, Outcome::Blocked(..)), "{outcome:?}");
        flip(&file, last);
        Unmerged { _blocks: blocks, index, plan, right }
    }

    fn bulk(&self) -> PathBuf {
        self.index.folder().join(BULK_FILE)
    }

    fn copy(&self) -> Index {
        let (scratch, loader) = (Scratch::new("flip-bulk"), self.index.loader.clone());
        copy_folder(self.index.folder(), scratch.path());
        let Index { params, .. } = self.index;
        Index { scratch, elsewhere: None, slice_bytes: 100_000, params, loader }
    }

    /// Notes in a copy that all blocks are read, so that its runs are merged next.
    fn begin_merge(index: &Index) {
        let db = index.db(Mode::Bulk);
        let state = State { phase: BuildState::Merging, ..db.state().unwrap() };
        let change = db.change().unwrap();
        change.set_state(&state).unwrap();
        change.commit().unwrap();
    }

    /// Goes on with a build after a flip; what is damaged is condemned, and sometimes built anew.
    fn go_on(&self, bit: &Bit) -> Ended {
        let index = self.copy();
        if bit.mask & 0x55 == 0 {
            Unmerged::begin_merge(&index);
        }
        bit.flip(&index.folder().join(BULK_FILE));
        let ended = match index.run(&self.plan, BATCH, false) {
            Ok(Outcome::Complete(_)) => End::Right,
            Ok(other) => return Err(format!("ends with {other:?}")),
            Err(error) => {
                failed(&error)?;
                let condemned = mark_damaged(index.folder(), &error.to_string());
                if condemned.code() != 75 {
                    return Err(format!("condemned: {condemned:?}"));
                }
                if !bit.byte.is_multiple_of(REBUILDS) {
                    return Ok(End::Rebuilt);
                }
                remove_if_marked_damaged(index.folder()).map_err(|error| error.to_string())?;
                index.run(&self.plan, ONE_BATCH, false).map_err(|error| error.to_string())?;
                End::Rebuilt
            }
        };
        match sound_is_right(&index, self.right)? {
            true => Ok(ended),
            false => Err("what was built is not sound".into()),
        }
    }
}

#[test]
fn a_flipped_bit_in_the_runs_of_a_build() {
    let (unmerged, mut rng) = (Unmerged::make(), Rng::new(6));
    let steering = Steering::of(&unmerged.bulk(), |_| true);
    assert!(steering.levels > 1, "{steering:?}");
    let unmerged = Arc::new(unmerged);
    let bits = (0..flips_wanted(300, 10)).map(|n| match n % 2 {
        0 => steering.pick(&mut rng),
        _ => Bit::of_file(&unmerged.bulk(), &mut rng),
    });
    let work = unmerged.clone();
    campaign("bulk.sqlite before a merge", bits, move |bit| work.go_on(bit));
}
