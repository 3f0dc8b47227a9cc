//! Block files that are a copy lagging behind bitcoind, or that do not exist at all.

use std::fs;
use std::path::Path;

use hekte_testkit::hekte::{self, Hekte};
use serde_json::json;

use crate::world::{BINARY, World, refs};

/// The path of the index below the data folder.
const INDEX: &str = "regtest/index/index.sqlite";

/// Updates the copy; each file is replaced as a whole.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("scratch is writable");
    for entry in fs::read_dir(from).expect("bitcoind made it") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_file() {
            let part = to.join("part");
            fs::copy(entry.path(), &part).expect("it can be read");
            fs::rename(part, to.join(entry.file_name())).expect("the same disk");
        }
    }
}

/// Arguments for block files outside of bitcoind's folder.
fn args(world: &World, bitcoin_dir: &Path) -> Vec<String> {
    let cookie = world.node.rpc.cookie().display().to_string();
    let mut args = world.args("a", &["--rpc-cookie", &cookie]);
    let own = world.node.datadir().display().to_string();
    let at = args.iter().position(|arg| *arg == own).expect("it is there");
    args[at] = bitcoin_dir.display().to_string();
    args
}

#[test]
fn a_copy_that_lacks_the_newest_block_is_waited_for() {
    let Some(mut world) = World::new("a_copy") else { return };
    let blocks = world.scratch.join("copy/regtest/blocks");
    copy(&world.node.blocks_dir(), &blocks);
    let args = args(&world, &world.scratch.join("copy"));
    let mut hekte = Hekte::start(BINARY, world.scratch.path(), &refs(&args));
    world.right(&hekte);
    let before = hekte.client().call("blockchain.headers.subscribe", json!([]));
    world.mine(1);
    hekte.wait_log(&format!(
        "block {} ({}) is not in the newest files",
        world.height(),
        world.node.tip()
    ));
    let meanwhile = hekte.client().call("blockchain.headers.subscribe", json!([]));
    assert_eq!(before, meanwhile, "{}", hekte.log());
    copy(&world.node.blocks_dir(), &blocks);
    world.right(&hekte);
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    assert!(world.data("a").join(INDEX).exists());
}

#[test]
fn without_a_blocks_folder_nothing_is_begun() {
    let Some(world) = World::new("without_blocks") else { return };
    let args = args(&world, &world.scratch.join("nowhere"));
    let done = hekte::run(BINARY, world.scratch.path(), &refs(&args));
    assert_eq!(done.status.code(), Some(66), "{}", done.stderr);
    let remedy = "point bitcoin_dir at bitcoind's data folder (network is regtest)";
    assert!(done.stderr.contains(remedy), "{}", done.stderr);
    assert!(!world.data("a").join(INDEX).exists(), "no index is made");
}
