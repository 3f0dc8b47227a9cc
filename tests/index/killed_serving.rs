//! A served index that is killed while blocks come, go to runs, are merged and are taken out again.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bitcoin::Network;
use hekte::ids::{BlockCount, Height};
use hekte::inspect::digest::digest;
use hekte::limits::MERGE_FAN_IN;
use hekte::live::progress::Progress;
use hekte::store::folder::INDEX_FILE;
use hekte::store::open::{Db, Mode};
use hekte::store::records::{BuildState, RunInfo};
use hekte::sync::build::build::Outcome;
use hekte::sync::served::upkeep::Upkeep;
use hekte_testkit::chain::{ChainSpec, generate};
use hekte_testkit::child;
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;

use crate::common::{Index, ONE_BATCH, copy_folder};
use crate::killed_building::kills_wanted;
use crate::random_chains::orderly;
use crate::tight::TIGHT;

/// Height at which the build ends and serving begins.
const BUILT: u32 = 20;
/// The deepest reorganisation: further than what is in memory.
const DEEPEST: u64 = 14;

/// Builds an index, then takes blocks into it and out again, until it is killed.
#[test]
#[ignore = "child process of killed_while_serving_it_goes_on"]
fn serve_to_be_killed() {
    let Some([blocks, folder, seed]) = child::words() else { return };
    let mut rng = Rng::new(seed.parse().unwrap());
    let index = Index::over(Path::new(&blocks), Network::Regtest).in_folder(&folder);
    let plan = index.plan().unwrap();
    if !index.path().exists() || index.db(Mode::Bulk).state().unwrap().phase != BuildState::Ready {
        index.build_first(BUILT);
    }
    let mut served = index.open_with(TIGHT).unwrap();
    let live = &mut served.live;
    live.publish();
    let progress = Progress::default();
    let mut upkeep = Upkeep::new(&progress);
    let end = plan.blocks();
    while live.blocks().0 < end {
        let next = live.blocks().0;
        index.connect(live, &plan, next..next + 1);
        live.publish();
        upkeep.step(live).unwrap();
        if rng.chance(1, 30) {
            let keep = next.saturating_sub(rng.range(1, DEEPEST) as u32).max(1);
            live.disconnect_to(BlockCount(keep)).unwrap();
            live.publish();
        }
    }
    while upkeep.step(live).unwrap() {}
}

/// What a kill left, looked at in a copy: blocks, runs, and the content checked.
fn look(folder: &Path, fresh: &Index) -> (u32, Vec<RunInfo>) {
    let copy = Scratch::new("look");
    copy_folder(folder, copy.path());
    let db = Db::open(&copy.join(INDEX_FILE), &fresh.params, Mode::ReadWrite).unwrap();
    let (state, runs) = (db.state().unwrap(), db.runs().unwrap());
    let verdict = hekte::inspect::verify::verify(&db, &fresh.params);
    assert!(verdict.is_sound(), "{verdict}");
    let tip = Some(Height(state.blocks - 1));
    let right = digest(&fresh.db(Mode::Read), tip).unwrap();
    assert_eq!(digest(&db, tip).unwrap(), right);
    (state.blocks, runs)
}

/// A merge that was begun is gone on with; only a reorganisation below its end undoes it.
fn merges_go_on(before: &[RunInfo], after: &[RunInfo], blocks: [u32; 2]) {
    for begun in before.iter().filter(|run| !run.complete) {
        let now = after.iter().find(|run| run.id == begun.id && run.kind == begun.kind);
        if let Some(now) = now.filter(|_| blocks[1] >= blocks[0]) {
            assert!(
                now.complete || now.written.postings >= begun.written.postings,
                "{begun:?} became {now:?}"
            );
        }
    }
}

#[test]
fn killed_while_serving_it_goes_on() {
    let scratch = Scratch::new("kill-live");
    let (wanted, mut kills, mut merging, mut round) = (kills_wanted(25), 0, 0, 0);
    while kills < wanted {
        let mut rng = Rng::new(70 + round);
        let blocks = scratch.join(format!("blocks{round}"));
        let spec = ChainSpec { seed: 90 + round, blocks: 220, ..ChainSpec::default() };
        orderly(&blocks, &generate(&ChainSpec { txs_per_block: 40, ..spec }));
        let fresh = Index::over(&blocks, Network::Regtest).built(ONE_BATCH);
        let folder = scratch.join(format!("data{round}"));
        fs::create_dir_all(&folder).unwrap();
        let mut before = (0, Vec::new());
        while !run_for(&blocks, &folder, &mut rng) {
            kills += 1;
            if !folder.join(INDEX_FILE).exists() {
                continue;
            }
            let Some(now) = built(&folder, &fresh).then(|| look(&folder, &fresh)) else { continue };
            // what was on disk stays there, but for a reorganisation of the child's own
            assert!(now.0 + DEEPEST as u32 * 3 >= before.0, "{} blocks, then {}", before.0, now.0);
            merges_go_on(&before.1, &now.1, [before.0, now.0]);
            merging += u32::from(now.1.iter().any(|run| !run.complete));
            before = now;
        }
        let done = look(&folder, &fresh);
        assert!(done.1.iter().all(|run| run.complete), "{:?}", done.1);
        assert!(done.1.len() < 2 * MERGE_FAN_IN * 3, "{:?}", done.1);
        round += 1;
    }
    println!("{kills} kills, {merging} of them left a merge half done; {round} rounds");
    assert!(merging > 0 && kills >= wanted);
}

fn built(folder: &Path, index: &Index) -> bool {
    let copy = Scratch::new("built");
    copy_folder(folder, copy.path());
    let db = Db::open(&copy.join(INDEX_FILE), &index.params, Mode::Bulk).unwrap();
    db.state().unwrap().phase == BuildState::Ready
}

/// Starts a child and kills it after a random time; whether it came to its end first.
fn run_for(blocks: &Path, folder: &Path, rng: &mut Rng) -> bool {
    let seed = rng.word() >> 1;
    let child = child::start(
        "killed_serving::serve_to_be_killed",
        &[&blocks.display(), &folder.display(), &seed],
    );
    child::ended_within(child, Duration::from_micros(rng.range(15_000, 220_000)))
}

impl Index {
    /// Builds the first `blocks` blocks of a plan.
    fn build_first(&self, blocks: u32) {
        let mut short = self.plan().unwrap();
        short.truncate(blocks);
        assert!(matches!(self.run(&short, ONE_BATCH, false).unwrap(), Outcome::Complete(_)));
    }
}
