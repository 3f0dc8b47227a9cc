//! What grows with the length of the chain: bytes a block, by the program as a whole.

use std::fs;
use std::path::{Path, PathBuf};

use bitcoin::Network;
use hekte::blockfile::dir::Kind;
use hekte::store::open::Mode;
use hekte::sync::build::build::Outcome;
use hekte_testkit::chain::{ChainSpec, Generator, Shape};
use hekte_testkit::files::{BlockDir, FileOptions};
use hekte_testkit::hekte::run;
use hekte_testkit::scratch::Scratch;

use crate::common::{Index, ONE_BATCH};
use crate::random_chains::{mixed, orderly};

/// The smallest budget that is accepted.
const MEMORY: u64 = 64 << 20;
/// A block costs 24 bytes in the plan and, until batches are full, some 120 in one. 175 measured.
const BYTES_PER_BLOCK_MAX: u64 = 250;

/// Blocks of one or two transactions.
fn long_chain(blocks: u32) -> Scratch {
    let scratch = Scratch::new("long");
    let spec = ChainSpec {
        seed: 5,
        blocks,
        txs_per_block: 1,
        shape: Shape::Bench,
        keep_undo: 16,
        ..ChainSpec::default()
    };
    let mut dir = BlockDir::create(&scratch.join("regtest/blocks"), FileOptions::default());
    for block in Generator::new(&spec) {
        dir.add(&block);
    }
    scratch
}

/// A control group with a hard limit of the budget, where the machine lets us make one.
struct Group(PathBuf);

impl Group {
    fn make() -> Option<Group> {
        let one = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes");
        let two = ("/sys/fs/cgroup", "memory.max");
        [one, two].into_iter().find_map(|(parent, file)| {
            let group = Path::new(parent).join(format!("hekte-growth-{}", std::process::id()));
            fs::create_dir(&group).ok()?;
            let group = Group(group);
            let procs = group.0.join("cgroup.procs").exists();
            (procs && fs::write(group.0.join(file), MEMORY.to_string()).is_ok()).then_some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// The most memory that a build took, by its own word.
fn peak(chain: &Scratch) -> u64 {
    let group = Group::make();
    if group.is_none() {
        println!("skipped: no control group can be made here, so the limit is not a hard one");
    }
    let enter = group.as_ref().map_or(String::new(), |group| {
        format!("echo $$ > {} && ", group.0.join("cgroup.procs").display())
    });
    let command = format!(
        "{enter}exec {} --network regtest --bitcoin-dir . --data-dir hekte --offline --sync-only \
         --memory 64MiB",
        env!("CARGO_BIN_EXE_hekte")
    );
    let done = run("/bin/sh", chain.path(), &["-c", &command]);
    let peak = done.stdout.split("peak_memory_bytes=").nth(1).map(str::trim);
    peak.and_then(|peak| peak.parse().ok()).unwrap_or_else(|| panic!("{done:?}"))
}

/// What the longer chain takes more is what its length costs, batches included as far as these
/// chains fill them. The million blocks are in docs/benchmarks.md.
#[test]
fn a_longer_chain_takes_no_more_than_its_blocks_do() {
    let (short, long) = (40_000, 120_000);
    let small = peak(&long_chain(short));
    let chain = long_chain(long);
    let large = peak(&chain);
    let each = large.saturating_sub(small) / u64::from(long - short);
    println!("{} and {} MiB: {each} bytes a block", small >> 20, large >> 20);
    assert!(each < BYTES_PER_BLOCK_MAX, "{each} bytes a block: {small}, {large}");
    assert!(large < MEMORY, "{large}");
    let index = Index::over(&chain.join("regtest/blocks"), Network::Regtest);
    assert_eq!(index.plan().unwrap().blocks(), long + 1);
}

/// The first batch takes all there is for batches where everything may well fit; here it does not,
/// and two of half the size follow.
#[test]
fn a_chain_a_little_larger_than_one_batch_is_built_in_three() {
    let chain = mixed(35, 200);
    let scratch = Scratch::new("nearly");
    orderly(scratch.path(), &chain);
    let right = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH).digest();
    let index = Index::over(scratch.path(), Network::Regtest);
    let dir = index.loader.dir();
    let files = dir.bytes_of(Kind::Block).unwrap() + dir.bytes_of(Kind::Undo).unwrap();
    let mut whole = 0;
    for parts in 7..14 {
        let index = Index::over(scratch.path(), Network::Regtest);
        let outcome = index.build((files / parts / 8) as usize).unwrap();
        assert!(matches!(outcome, Outcome::Complete(_)), "{outcome:?}");
        assert_eq!(index.digest(), right);
        whole += u32::from(index.db(Mode::Read).runs().unwrap().len() == 2);
    }
    assert_eq!(whole, 7, "in the end there is one run of each kind");
}
