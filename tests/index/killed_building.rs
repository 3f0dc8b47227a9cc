//! Builds that are killed, stopped or robbed of a file at any moment end as if nothing had been.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bitcoin::Network;
use hekte::host::stop::StopToken;
use hekte::inspect::digest::IndexDigest;
use hekte::live::progress::Progress;
use hekte::store::folder::{BULK_FILE, INDEX_FILE};
use hekte::store::open::{Db, Mode};
use hekte::store::records::{BuildState, State};
use hekte::sync::blocks::scan::scan_all;
use hekte::sync::build::build::{Build, Outcome};
use hekte::sync::build::pace::DiskPace;
use hekte::sync::build::plan::Plan;
use hekte_testkit::chain::{ChainSpec, Shape, generate};
use hekte_testkit::child;
use hekte_testkit::files::{BlockDir, FileOptions};
use hekte_testkit::hekte::{Hekte, run};
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;

use crate::common::{Index, ONE_BATCH, copy_folder};
use crate::random_chains::{disorderly, mixed, orderly};

const BATCH: usize = 300;

/// Builds an index until it is killed.
#[test]
#[ignore = "child process of killed_at_any_moment_it_goes_on"]
fn build_to_be_killed() {
    let Some([blocks, folder, batch]) = child::words() else { return };
    let index = Index::over(Path::new(&blocks), Network::Regtest);
    let plan = index.plan().unwrap();
    let build = Build {
        memory_bytes: 256 << 20,
        folder: Path::new(&folder),
        loader: &index.loader,
        plan: &plan,
        batch_bytes: batch.parse::<usize>().unwrap() * 8,
        pace: DiskPace { spare_bytes: None, slice_bytes: 10_000, threads: 2 },
        progress: &Progress::default(),
        stop: StopToken::default(),
    };
    assert!(matches!(build.run().unwrap(), Outcome::Complete(_)));
}

/// How many kills there must be at least; `HEKTE_KILLS` asks for more.
pub fn kills_wanted(default: u32) -> u32 {
    let asked = std::env::var("HEKTE_KILLS").ok().map(|n| n.parse().expect("HEKTE_KILLS=N"));
    asked.unwrap_or(default)
}

fn digest_of(folder: &Path, index: &Index) -> IndexDigest {
    let db = Db::open(&folder.join(INDEX_FILE), &index.params, Mode::Read).unwrap();
    let verdict = hekte::inspect::verify::verify(&db, &index.params);
    assert!(verdict.is_sound(), "{verdict}");
    hekte::inspect::digest::digest(&db, None).unwrap()
}

fn bulk_files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name());
    names.map(|n| n.to_string_lossy().into()).filter(|n: &String| n.contains("bulk")).collect()
}

#[test]
fn killed_at_any_moment_it_goes_on() {
    let scratch = Scratch::new("kill");
    let (mut rng, mut kills, mut seen) = (Rng::new(1), 0, Vec::new());
    let wanted = kills_wanted(6);
    let mut rounds = 0u64..;
    while let Some(round) = rounds.next().filter(|round| *round < 4 || kills < wanted) {
        let (blocks, batch) = (scratch.join(format!("blocks{round}")), rng.range(1, 400));
        match round % 4 {
            0 => bench_chain(&blocks),
            1 => orderly(&blocks, &mixed(33 + round / 4, 140)),
            // whatever the order of the blocks in the files, and what lies between them
            _ => disorderly(&blocks, &mixed(33 + round, 140), round),
        }
        let fresh = Index::over(&blocks, Network::Regtest).built(ONE_BATCH);
        let folder = scratch.join(format!("data{round}"));
        fs::create_dir_all(&folder).unwrap();
        kills += kill_until_done(&fresh, [&blocks, &folder], batch, &mut rng, &mut seen);
        assert_eq!(digest_of(&folder, &fresh), fresh.digest(), "round {round}");
        assert_eq!(bulk_files(&folder), Vec::<String>::new());
    }
    let in_phase = |name| seen.iter().filter(|seen| seen.starts_with(name)).count();
    let [building, merging] = ["Building", "Merging"].map(in_phase);
    println!("{kills} kills, {building} while building, {merging} while merging");
    assert!(kills >= wanted);
}

fn bench_chain(blocks: &Path) {
    let spec = ChainSpec {
        seed: 31,
        blocks: 260,
        txs_per_block: 30,
        shape: Shape::Bench,
        ..ChainSpec::default()
    };
    BlockDir::create(blocks, FileOptions { max_file: 300_000, ..FileOptions::default() })
        .add_all(&generate(&spec).blocks);
}

/// Starts a build and kills it, again and again, until one gets to its end; how many were killed.
fn kill_until_done(
    fresh: &Index,
    [blocks, folder]: [&Path; 2],
    batch: u64,
    rng: &mut Rng,
    seen: &mut Vec<String>,
) -> u32 {
    let (start, mut kills) = (Instant::now(), 0u64);
    loop {
        assert!(start.elapsed() < Duration::from_secs(120), "never comes to an end");
        let child = child::start(
            "killed_building::build_to_be_killed",
            &[&blocks.display(), &folder.display(), &batch],
        );
        // scanning takes a few milliseconds; small batches take longer to the first commit
        let time = Duration::from_micros(rng.range(10_000, 120_000 + kills * 5000));
        if child::ended_within(child, time) {
            return kills as u32;
        }
        kills += 1;
        seen.push(phase(folder, fresh));
    }
}

/// What a kill left, as the next start finds it; looked at in a copy.
fn phase(folder: &Path, index: &Index) -> String {
    let copy = Scratch::new("look");
    copy_folder(folder, copy.path());
    let path = copy.join(INDEX_FILE);
    if !path.exists() {
        return "nothing".into();
    }
    let State { phase, blocks, .. } =
        Db::open(&path, &index.params, Mode::Bulk).unwrap().state().unwrap();
    format!("{phase:?} {blocks}")
}

/// The program itself, with its lock, log and signals.
#[test]
fn the_program_can_be_killed_too() {
    let binary = env!("CARGO_BIN_EXE_hekte");
    let scratch = Scratch::new("program");
    let chain = mixed(32, 140);
    orderly(&scratch.join("blocks"), &chain);
    let right = Index::over(&scratch.join("blocks"), Network::Regtest).built(7).digest();
    let args = ["--network", "regtest", "--blocks-dir", "blocks", "--data-dir", "data"];
    let build = [&args[..], &["--offline", "--sync-only", "--memory", "64MiB"]].concat();
    for wait in [5, 15, 25, 40, 60] {
        let hekte = Hekte::spawn(binary, scratch.path(), &build);
        std::thread::sleep(Duration::from_millis(wait));
        hekte.kill();
    }
    let done = run(binary, scratch.path(), &build);
    assert!(done.status.success(), "{}", done.stderr);
    let digest = run(binary, scratch.path(), &[&args[..], &["--offline", "digest"]].concat());
    assert_eq!(digest.stdout.trim(), right.to_string());
    let verify = run(binary, scratch.path(), &[&args[..], &["--offline", "verify"]].concat());
    assert!(verify.status.success(), "{}{}", verify.stdout, verify.stderr);
}

/// A world for stops by hand, and its right digest.
fn small() -> (Scratch, Index, Plan, IndexDigest) {
    let scratch = Scratch::new("stops");
    orderly(scratch.path(), &mixed(33, 125));
    let fresh = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    let index = Index::over(scratch.path(), Network::Regtest);
    let plan = index.plan().unwrap();
    let right = fresh.digest();
    (scratch, index, plan, right)
}

fn finished(index: &Index, plan: &Plan, right: IndexDigest) {
    let outcome = index.run(plan, BATCH, false).unwrap();
    assert!(matches!(outcome, Outcome::Complete(_)), "{outcome:?}");
    assert_eq!(index.digest(), right);
    assert!(index.verify().is_sound(), "{}", index.verify());
    assert_eq!(bulk_files(index.folder()), Vec::<String>::new());
}

fn blocks_of(outcome: &Outcome) -> u32 {
    let (Outcome::Stopped(state) | Outcome::Complete(state)) = outcome else {
        panic!("{outcome:?}")
    };
    state.blocks
}

#[test]
fn stopped_after_every_block_it_goes_on() {
    let (_scratch, index, plan, right) = small();
    for blocks in 1..=plan.blocks() {
        let outcome = index.run(&plan, BATCH, true).unwrap();
        assert_eq!(blocks_of(&outcome), blocks);
    }
    finished(&index, &plan, right);
}

/// The runs of a batch are committed before the rows that count them.
#[test]
fn a_batch_that_only_the_bulk_file_knows_is_read_again() {
    let (_scratch, index, plan, right) = small();
    for round in 0..5 {
        for _ in 0..10 {
            index.run(&plan, BATCH, true).unwrap();
        }
        let before = fs::read(index.path()).unwrap();
        index.run(&plan, BATCH, true).unwrap();
        fs::write(index.path(), before).unwrap();
        let outcome = index.run(&plan, BATCH, true).unwrap();
        assert_eq!(blocks_of(&outcome), round * 11 + 11);
    }
    finished(&index, &plan, right);
}

#[test]
fn a_lost_or_emptied_bulk_file_costs_time_only() {
    for phase in [BuildState::Building, BuildState::Merging] {
        for loss in ["gone", "empty", "stale"] {
            let (_scratch, index, plan, right) = small();
            let bulk = index.scratch.join(BULK_FILE);
            let mut stale = Vec::new();
            for step in 0..40 {
                index.run(&plan, BATCH, true).unwrap();
                if step == 20 {
                    stale = fs::read(&bulk).unwrap();
                }
            }
            if phase == BuildState::Merging {
                while blocks_of(&index.run(&plan, BATCH, true).unwrap()) < plan.blocks() {}
                let db = index.db(Mode::Bulk);
                let state = State { phase, ..db.state().unwrap() };
                let change = db.change().unwrap();
                change.set_state(&state).unwrap();
                change.commit().unwrap();
            }
            match loss {
                "gone" => fs::remove_file(&bulk).unwrap(),
                "empty" => fs::write(&bulk, []).unwrap(),
                _ => fs::write(&bulk, stale).unwrap(),
            }
            finished(&index, &plan, right);
        }
    }
}

/// Indexing went on along a branch that lost while hekte was off.
#[test]
fn a_build_that_meets_a_reorg_leaves_the_old_chain() {
    let scratch = Scratch::new("other");
    let chain = mixed(34, 125);
    orderly(scratch.path(), &chain);
    let right = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH).digest();
    let stale: Vec<_> = chain.blocks.iter().filter(|block| !block.active).collect();
    let mut tried = 0;
    for tip in stale {
        let index = Index::over(scratch.path(), Network::Regtest);
        let tree = scan_all(&index.loader, &Progress::default()).unwrap();
        let id = tree.find(&tip.hash()).unwrap();
        let ours = tree.path(&index.params.genesis, id).unwrap();
        let plan = Plan::along(tree, &ours);
        match index.run(&plan, BATCH, false).unwrap() {
            Outcome::Blocked(..) => {} // it never had undo data
            outcome => assert_eq!(blocks_of(&outcome), plan.blocks()),
        }
        finished(&index, &index.plan().unwrap(), right);
        tried += 1;
    }
    println!("{tried} branches");
    assert!(tried > 0);
}
