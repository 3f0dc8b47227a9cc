//! A disk that is full to the last byte, at whatever moment: nothing breaks, all goes on later.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::Network;
use hekte::error::Error;
use hekte::live::progress::Progress;
use hekte::store::records::BuildState;
use hekte::sync::build::build::{Build, Outcome};
use hekte::sync::build::pace::DiskPace;
use hekte::sync::build::plan::Plan;
use hekte::sync::served::settings::UpkeepSettings;
use hekte::sync::served::upkeep::Upkeep;
use hekte_testkit::chain::{ChainSpec, generate};
use hekte_testkit::model::Model;
use hekte_testkit::scratch::Scratch;
use hekte_testkit::small_disk::SmallDisk;

use crate::answers;
use crate::common::{Index, ONE_BATCH};
use crate::random_chains::{active, orderly};

const BATCH: usize = 30_000;

fn spec() -> ChainSpec {
    ChainSpec { seed: 41, blocks: 150, txs_per_block: 100, ..ChainSpec::default() }
}

/// Block files on a large disk; an index of them on the small one comes into `folder`.
fn world(folder: &Path) -> (Scratch, Index, Plan, Index) {
    let scratch = Scratch::new("full");
    orderly(scratch.path(), &generate(&spec()));
    let fresh = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    let mut index = Index::over(scratch.path(), Network::Regtest).in_folder(folder);
    index.slice_bytes = 4000;
    let plan = index.plan().unwrap();
    (scratch, index, plan, fresh)
}

fn phase(index: &Index) -> Option<BuildState> {
    let text = fs::metadata(index.path()).ok().filter(|meta| meta.len() > 0);
    text.map(|_| index.db(hekte::store::open::Mode::Read).state().unwrap().phase)
}

#[test]
fn a_build_stops_where_the_disk_is_full_and_goes_on_later() {
    let Some(disk) = SmallDisk::mount("a_build_stops", 4096) else { return };
    let folder = disk.path().join("data");
    let (_blocks, index, plan, fresh) = world(&folder);
    fs::create_dir(&folder).unwrap();
    let mut stops = Vec::new();
    let mut left = 0;
    loop {
        disk.leave(left);
        match index.run(&plan, BATCH, false) {
            Ok(Outcome::Complete(_)) => break,
            Err(Error::NoSpace(why)) => assert!(why.contains("the disk is full"), "{why}"),
            other => panic!("with {left} KiB: {other:?}"),
        }
        disk.empty();
        stops.push(phase(&index));
        // as soon as it merges, begin with no room again
        let merges = stops.last() == Some(&Some(BuildState::Merging));
        left = if merges && !stops[..stops.len() - 1].contains(&Some(BuildState::Merging)) {
            0
        } else {
            left + 4
        };
        assert!(left < 4096, "it should fit by now: {stops:?}");
    }
    disk.empty();
    println!("{} stops: {stops:?}", stops.len());
    assert!(
        stops.contains(&Some(BuildState::Building)) && stops.contains(&Some(BuildState::Merging))
    );
    assert_eq!(index.digest(), fresh.digest());
    assert!(index.verify().is_sound(), "{}", index.verify());
}

/// The build's own look at free space comes before anything is written.
#[test]
fn a_build_that_cannot_end_is_not_begun() {
    let Some(disk) = SmallDisk::mount("a_build_that_cannot_end", 4096) else { return };
    let folder = disk.path().join("data");
    let (_blocks, index, plan, _) = world(&folder);
    fs::create_dir(&folder).unwrap();
    let progress = Progress::default();
    let build = index.a_build(&plan, BATCH, &progress);
    let pace = DiskPace { spare_bytes: Some(64 << 20), ..build.pace };
    let outcome = Build { pace, ..build }.run();
    match outcome {
        Err(error @ Error::NoSpace(_)) => assert_eq!(error.code(), 74),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_served_index_waits_for_room_and_goes_on() {
    let Some(disk) = SmallDisk::mount("a_served_index_waits", 4096) else { return };
    let folder = disk.path().join("data");
    let (_blocks, index, plan, fresh) = world(&folder);
    fs::create_dir(&folder).unwrap();
    let mut short = index.plan().unwrap();
    short.truncate(30);
    index.run(&short, ONE_BATCH, false).unwrap();
    let settings = UpkeepSettings {
        kept: 2,
        flush_at: 4,
        most: 40,
        recent_bytes: usize::MAX,
        slice_bytes: 6000,
        spare_bytes: None,
        retry_pause: Duration::ZERO,
    };
    let mut served = index.open_with(settings).unwrap();
    let live = &mut served.live;
    live.publish();
    let progress = Arc::new(Progress::default());
    let mut upkeep = Upkeep::new(&progress);
    let (mut held, mut full, end) = (0, 0, plan.blocks());
    for round in 0.. {
        if live.blocks().0 == end {
            break;
        }
        disk.leave(0);
        // in the second round until memory holds as much as it may
        for _ in 0..if round == 1 { 45 } else { 12 } {
            full += u32::from(live.is_full());
            if live.blocks().0 < end && !live.is_full() {
                let next = live.blocks().0;
                index.connect(live, &plan, next..next + 1);
                live.publish();
            }
            while upkeep.step(live).unwrap() {}
            held += u32::from(progress.trouble().is_some());
        }
        // as much as a few steps take, then more
        for left in [4, 16, 40, 80, 160, 320] {
            disk.leave(left);
            while upkeep.step(live).unwrap() {}
        }
        disk.empty();
        while upkeep.step(live).unwrap() {}
        assert_eq!(progress.trouble(), None);
        assert!(!live.flush_is_due());
    }
    println!("{held} times held, {full} times full");
    assert!(held > 20 && full > 0);
    let blocks = active(&generate(&spec()));
    answers::scripts(&served.engine, &Model::new(&blocks));
    // all in memory to the disk
    drop(served);
    index.run(&plan, ONE_BATCH, false).unwrap();
    assert_eq!(index.digest(), fresh.digest());
    assert!(index.verify().is_sound(), "{}", index.verify());
}
