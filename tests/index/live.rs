//! The index beside a node: reorgs in memory and on disk, runs written, merged and cleaned up.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;

use bitcoin::{Block, Network};
use hekte::ids::{BlockCount, Prefix, TxNum};
use hekte::index::chunk::TxRange;
use hekte::limits::{RECENT_BLOCKS_KEPT, RECENT_BLOCKS_MIN};
use hekte::live::progress::Progress;
use hekte::live::touched::Touched;
use hekte::store::open::Mode;
use hekte::store::records::RunKind;
use hekte::sync::blocks::scan::scan_all;
use hekte::sync::build::merge::RunMerge;
use hekte::sync::build::pace::DiskPace;
use hekte::sync::build::plan::Plan;
use hekte::sync::served::compact;
use hekte::sync::served::settings::UpkeepSettings;
use hekte_testkit::chain::{ChainSpec, GenBlock, Generator};
use hekte_testkit::files::{BlockDir, FileOptions};
use hekte_testkit::model::Model;
use hekte_testkit::scratch::Scratch;

use crate::answers;
use crate::common::{Index, ONE_BATCH};

/// A slice that is small, so that a merge takes several steps.
const SLICE: u64 = 2000;
const PACE: DiskPace = DiskPace { spare_bytes: None, slice_bytes: 1 << 20, threads: 2 };

/// Two chains that part after `fork`, with the undo data of all blocks.
struct Forked {
    scratch: Scratch,
    ours: Vec<Block>,
    theirs: Vec<Block>,
}

fn forked(seed: u64, fork: u32, ours: u32, theirs: u32) -> Forked {
    let spec = ChainSpec { seed, blocks: 0, txs_per_block: 6, ..ChainSpec::default() };
    let mut maker = Generator::new(&spec).into_maker();
    let mut make =
        |count: u32| -> Vec<GenBlock> { (0..count).map(|_| maker.next_block()).collect() };
    let mut first = vec![GenBlock::genesis()];
    first.extend(make(ours));
    maker.rewind(fork);
    let second: Vec<_> = (fork..theirs).map(|_| maker.next_block()).collect();
    let scratch = Scratch::new("fork");
    let options = FileOptions { max_file: 200_000, ..FileOptions::default() };
    let mut dir = BlockDir::create(scratch.path(), options);
    for block in first.iter().chain(&second) {
        // both branches were once the best chain, so both have undo data
        dir.store(block);
        dir.write_undo(block);
    }
    let plain = |blocks: &[GenBlock]| blocks.iter().map(|b| b.block.clone()).collect::<Vec<_>>();
    let mut other = plain(&first[..=fork as usize]);
    other.extend(plain(&second));
    Forked { scratch, ours: plain(&first), theirs: other }
}

/// The plan that follows these blocks, as if bitcoind had named them.
fn plan_of(index: &Index, blocks: &[Block]) -> Plan {
    let tree = scan_all(&index.loader, &Progress::default()).unwrap();
    let id = |block: &Block| tree.find(&block.block_hash()).unwrap();
    let chain: Vec<_> = blocks.iter().map(id).collect();
    Plan::along(tree, &chain)
}

/// Reorgs of every depth in an index on disk: in memory, to the border, through runs.
#[test]
fn a_reorg_of_any_depth_leaves_nothing_behind() {
    let fork = 60;
    let world = forked(21, fork, 90, 95);
    for (on_disk, batch) in [(50, ONE_BATCH), (61, 30), (61, ONE_BATCH), (75, 40), (91, ONE_BATCH)]
    {
        let index = Index::over(world.scratch.path(), Network::Regtest);
        let ours = plan_of(&index, &world.ours);
        let theirs = plan_of(&index, &world.theirs);
        let mut short = plan_of(&index, &world.ours);
        short.truncate(on_disk);
        index.run(&short, batch, false).unwrap();
        let mut served = index.serve();
        index.connect(&mut served.live, &ours, on_disk..91);
        served.live.publish();
        answers::compare(&served.engine, &world.ours);
        let deep = served.live.disconnect_to(BlockCount(fork + 1)).unwrap();
        assert_eq!(deep.is_some(), on_disk > fork + 1);
        index.connect(&mut served.live, &theirs, fork + 1..96);
        let tip = served.live.publish();
        match deep {
            Some(deep) => {
                assert_eq!(deep.touched, Touched::Any, "any script may have lost something")
            }
            None => all_told(&tip.touched, &world),
        }
        // summaries of the old chain are still in the cache
        answers::compare(&served.engine, &world.theirs);
        served.live.disconnect_to(BlockCount(fork + 1)).unwrap();
        index.connect(&mut served.live, &ours, fork + 1..91);
        served.live.publish();
        answers::compare(&served.engine, &world.ours);
        drop(served);
        // a restart loses the blocks in memory, and the build continues from the disk
        index.run(&theirs, 50, false).unwrap();
        let fresh = Index::over(world.scratch.path(), Network::Regtest);
        fresh.run(&theirs, ONE_BATCH, false).unwrap();
        assert_eq!(index.digest(), fresh.digest(), "{on_disk} on disk");
        assert!(index.verify().is_sound(), "{}", index.verify());
        answers::compare(&index.serve().engine, &world.theirs);
    }
}

/// Checks that every script whose history has changed was reported as touched.
fn all_told(touched: &Touched, world: &Forked) {
    let histories = |blocks: &[Block]| -> HashMap<_, _> {
        let model = Model::new(blocks);
        model.scripthashes().into_iter().map(|s| (s, model.status(s))).collect()
    };
    let (before, after) = (histories(&world.ours), histories(&world.theirs));
    for (script, status) in before.iter().chain(&after) {
        if before.get(script) != after.get(script) {
            let told = touched.touches(Prefix::of(&script.0));
            assert!(told, "nobody hears of {script}, now {status:?}");
        }
    }
}

/// Blocks of many days: runs are written and merged, and hold what a single build holds.
#[test]
fn days_of_new_blocks_come_to_the_same_as_a_build() {
    let world = forked(22, 10, 640, 10);
    let index = Index::over(world.scratch.path(), Network::Regtest);
    let plan = plan_of(&index, &world.ours);
    let mut short = plan_of(&index, &world.ours);
    short.truncate(20);
    index.run(&short, ONE_BATCH, false).unwrap();
    let mut served = index.serve();
    for height in 20..641 {
        index.connect(&mut served.live, &plan, height..height + 1);
        served.live.publish();
        served.live.flush_if_due().unwrap();
        while served.live.merge_step().unwrap() {}
    }
    let on_disk = served.live.snapshot().disk_blocks;
    assert!(on_disk as usize <= 641 - RECENT_BLOCKS_KEPT && on_disk > 300, "{on_disk}");
    let compared = answers::compare(&served.engine, &world.ours);
    println!("{compared:?}, {} runs", served.live.snapshot().runs.len());
    // deeper than the blocks in memory, into a run
    let cut = on_disk - 30;
    served.live.disconnect_to(BlockCount(cut)).unwrap();
    answers::scripts(&served.engine, &Model::new(&world.ours[..cut as usize]));
    index.connect(&mut served.live, &plan, cut..641);
    served.live.publish();
    answers::scripts(&served.engine, &Model::new(&world.ours));
    drop(served);
    index.run(&plan, 500, false).unwrap();
    let fresh = Index::over(world.scratch.path(), Network::Regtest);
    fresh.run(&plan, ONE_BATCH, false).unwrap();
    assert_eq!(index.digest(), fresh.digest());
    assert!(index.verify().is_sound(), "{}", index.verify());
}

/// With little memory new blocks are written sooner; nothing else changes.
#[test]
fn new_blocks_that_take_too_much_memory_are_written_sooner() {
    let world = forked(24, 10, 120, 10);
    let index = Index::over(world.scratch.path(), Network::Regtest);
    index.run(&plan_of(&index, &world.ours[..20]), ONE_BATCH, false).unwrap();
    let plan = plan_of(&index, &world.ours);
    let limit = 20_000;
    let settings = UpkeepSettings { recent_bytes: limit, ..UpkeepSettings::default() };
    let mut served = index.open_with(settings).unwrap();
    served.live.publish();
    for height in 20..121 {
        index.connect(&mut served.live, &plan, height..height + 1);
        served.live.publish();
        served.live.flush_if_due().unwrap();
        let recent = &served.live.snapshot().recent;
        let bytes: usize = recent.iter().map(|block| block.held_bytes()).sum();
        assert!(bytes <= limit || recent.len() <= RECENT_BLOCKS_MIN, "{bytes} at {height}");
    }
    let (on_disk, held) = (served.live.snapshot().disk_blocks, served.live.snapshot().recent.len());
    assert!(on_disk > 60 && held >= RECENT_BLOCKS_MIN, "{on_disk} on disk, {held} in memory");
    answers::compare(&served.engine, &world.ours);
    drop(served);
    index.run(&plan, ONE_BATCH, false).unwrap();
    let fresh = Index::over(world.scratch.path(), Network::Regtest);
    fresh.run(&plan, ONE_BATCH, false).unwrap();
    assert_eq!(index.digest(), fresh.digest());
}

/// Many small runs after the first one, as after weeks in which the node was off.
fn with_small_runs(world: &Forked, batch: usize) -> Index {
    let index = Index::over(world.scratch.path(), Network::Regtest);
    index.run(&plan_of(&index, &world.ours[..30]), ONE_BATCH, false).unwrap();
    let plan = plan_of(&index, &world.ours);
    index.run(&plan, batch, false).unwrap();
    index
}

#[test]
fn merging_small_runs_changes_nothing() {
    let world = forked(23, 10, 130, 10);
    let fresh = Index::over(world.scratch.path(), Network::Regtest);
    fresh.run(&plan_of(&fresh, &world.ours), ONE_BATCH, false).unwrap();
    for batch in [1, 25] {
        let index = with_small_runs(&world, batch);
        assert_eq!(index.digest(), fresh.digest());
        let db = index.db(Mode::ReadWrite);
        let before = db.runs().unwrap().len();
        let mut merges = 0;
        while compact::step(&db, SLICE, None).unwrap().is_some() {
            merges += 1;
            assert_eq!(index.digest(), fresh.digest(), "after {merges} steps");
            assert!(index.verify().is_sound(), "{}", index.verify());
        }
        println!("{before} runs, {merges} steps, {} left", db.runs().unwrap().len());
        assert!(merges >= 2 && db.runs().unwrap().len() < before / 4);
        answers::compare(&index.serve().engine, &world.ours);
    }
}

/// A merge is stopped before the new run was complete, or before the old ones were deleted.
#[test]
fn what_an_interrupted_merge_leaves_counts_once() {
    let world = forked(24, 10, 120, 10);
    let index = with_small_runs(&world, 1);
    let right = index.digest();
    let db = index.db(Mode::ReadWrite);
    for kind in RunKind::ALL {
        let runs = db.runs().unwrap();
        let of_kind: Vec<_> = runs.into_iter().filter(|run| run.kind == kind).collect();
        let sources = &of_kind[of_kind.len() - 9..];
        let range = TxRange { first: sources[0].range.first, end: sources[8].range.end };
        // the source runs stay
        let mut from = index.db(Mode::Read);
        let merge = RunMerge {
            from: &mut from,
            sources,
            kind,
            range,
            rows_at_once: 4,
            pace: PACE,
            merged: &AtomicU64::new(0),
        };
        merge.write_into(&db, || Ok(())).unwrap();
        // a merge that has only begun
        let change = db.change().unwrap();
        let begun = TxRange { first: TxNum(0), end: sources[3].range.end };
        let inside = of_kind.iter().filter(|run| run.range.end <= begun.end).copied();
        let wanted = db.tally_of_all(&inside.collect::<Vec<_>>()).unwrap();
        change.create_run(kind, begun, wanted).unwrap();
        change.commit().unwrap();
        assert_eq!(index.digest(), right);
        assert!(index.verify().is_sound(), "{}", index.verify());
    }
    let before = db.runs().unwrap().len();
    drop(db);
    let mut served = index.serve();
    answers::compare(&served.engine, &world.ours);
    let mut steps = 0;
    while served.live.merge_step().unwrap() {
        steps += 1;
        assert_eq!(index.digest(), right, "after {steps} steps");
    }
    answers::compare(&served.engine, &world.ours);
    let left = index.db(Mode::Read).runs().unwrap().len();
    assert!(left < before - 2 * 9 - 2, "{left}: what is not needed is taken away");
}
