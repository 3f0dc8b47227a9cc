//! What a sync cannot do without: every block and its undo data read, every txid and script hashed.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use bitcoin::Network;
use hekte::blockfile::dir::BlockDir;
use hekte::chain::params::ChainParams;
use hekte::live::progress::Progress;
use hekte::sync::blocks::load::{BlockLoader, Load};
use hekte::sync::blocks::scan::scan_all;
use hekte::sync::build::plan::Plan;
use hekte::sync::build::read::read_blocks;

/// The chain in a folder of block files, and what reads it.
pub fn open(folder: &Path) -> (BlockLoader, Plan) {
    let params = ChainParams::of(Network::Regtest);
    let dir = BlockDir::open(folder).unwrap_or_else(|error| panic!("{error}"));
    let loader = BlockLoader::new(Arc::new(dir), &params);
    let tree = scan_all(&loader, &Progress::default()).unwrap_or_else(|error| panic!("{error}"));
    let plan = Plan::by_files(tree, &loader).unwrap_or_else(|error| panic!("{error}"));
    (loader, plan)
}

/// Reads and hashes with as many threads as a sync takes; prints how much there was.
pub fn run(folder: &Path) {
    let (loader, plan) = open(folder);
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    let (mut txs, mut scripts) = (0, 0);
    let read = read_blocks(&loader, &plan, 0, threads, |height, load| {
        let Load::Block(block) = load else { panic!("block {height}: {load:?}") };
        txs += block.rows.txids.len();
        scripts += block.rows.scripts.len();
        Ok(true)
    });
    read.unwrap_or_else(|error| panic!("{error}"));
    println!("transactions={txs} scripts={scripts}");
}
