//! The bitcoind that all servers share: it has imported the middle chain and keeps its `txindex`.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use hekte_testkit::bitcoind::{Bitcoind, free_port};
use hekte_testkit::scratch::Scratch;
use serde_json::json;

use crate::chain::Size;
use crate::peers::folder;
use crate::probes::Probes;

/// The chain of this comparison.
pub const CHAIN: Size = Size::MIDDLE;

/// A running node that has the whole chain.
pub struct Node {
    /// The process and its RPC.
    pub bitcoind: Bitcoind,
    /// The address of its peer-to-peer port, from which electrs fetches blocks.
    pub p2p: String,
    /// The height of its tip.
    pub tip: u32,
}

fn home() -> PathBuf {
    folder().join("node")
}

/// Starts the node. The first start takes a minute or two, since bitcoind validates the whole
/// chain.
pub fn start() -> Node {
    CHAIN.make();
    let tip = Probes::of(CHAIN).tip;
    let done = home().join("complete");
    if !done.exists() {
        eprintln!("bitcoind reads the {} chain, once", CHAIN.name);
        let _ = fs::remove_dir_all(home());
        copy_blocks();
        let (node, _) = run(&["-reindex", "-dbcache=2000"]);
        wait(&node, tip);
        drop_and_mark(node, &done);
    }
    let (bitcoind, p2p) = run(&[]);
    wait(&bitcoind, tip);
    Node { bitcoind, p2p, tip }
}

fn run(extra: &[&str]) -> (Bitcoind, String) {
    let p2p = format!("127.0.0.1:{}", free_port());
    let bind = format!("-bind={p2p}");
    let own = ["-listen=1", &bind, "-listenonion=0", "-txindex=1"];
    (Bitcoind::start_in(Scratch::lasting(home()), &[&own, extra].concat()), p2p)
}

fn copy_blocks() {
    let to = home().join("regtest/blocks");
    fs::create_dir_all(&to).expect("the target folder can be written");
    for entry in fs::read_dir(CHAIN.blocks_dir()).expect("the chain was made").flatten() {
        // bitcoind writes the undo data itself
        if !entry.file_name().to_string_lossy().starts_with("rev") {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("there is room");
        }
    }
}

fn wait(node: &Bitcoind, tip: u32) {
    loop {
        let index = node.rpc.call("getindexinfo", json!(["txindex"]));
        if node.height() == tip && index["txindex"]["synced"] == true {
            return;
        }
        sleep(Duration::from_millis(200));
    }
}

fn drop_and_mark(mut node: Bitcoind, done: &PathBuf) {
    node.stop();
    fs::write(done, b"").expect("the target folder can be written");
}

impl Node {
    /// Its login, `user:password`, from the cookie.
    pub fn cookie(&self) -> String {
        let text = fs::read_to_string(self.bitcoind.rpc.cookie());
        text.expect("a running node has a cookie").trim().to_string()
    }

    /// Reads its block files, so that they are in the page cache.
    pub fn warm(&self) {
        for entry in fs::read_dir(self.bitcoind.blocks_dir()).into_iter().flatten().flatten() {
            if entry.path().is_file() {
                let mut file = File::open(entry.path()).expect("the node's own");
                io::copy(&mut file, &mut io::sink()).expect("the node's files can be read");
            }
        }
    }

    /// The bytes of its index of transactions, which some servers need.
    pub fn txindex_bytes(&self) -> u64 {
        crate::peers::bytes_below(&home().join("regtest/indexes"))
    }
}
