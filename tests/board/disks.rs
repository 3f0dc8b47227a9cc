//! The disks of a board: a copy of the image, and a disk that holds a chain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use hekte_testkit::bitcoind::Bitcoind;
use hekte_testkit::hekte;
use hekte_testkit::scratch::Scratch;
use serde_json::json;

/// A copy of the image on a card of 3 GB, deleted on drop.
pub struct Card {
    _scratch: Scratch,
    path: PathBuf,
}

impl Card {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

pub fn copy(image_folder: &Path, name: &str) -> Card {
    let scratch = Scratch::new(name);
    let path = scratch.join("card.img");
    run(Command::new("cp").arg("--sparse=always").arg(image_folder.join("board.img")).arg(&path));
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(3 << 30).unwrap();
    Card { _scratch: scratch, path }
}

/// Height and transactions of the chain that image/board/test.sh makes: enough for several batches
/// if these are small.
const CHAIN_TIP: u64 = 1000;
const CHAIN_TXS: u64 = 525_130;

/// A disk labelled node-disk, with a chain that a bitcoind on this machine has validated.
pub struct NodeDisk {
    _scratch: Scratch,
    pub image: PathBuf,
    pub tip: u64,
    pub txs: u64,
    /// The digest of the index that hekte makes of this chain on this machine.
    pub digest: String,
}

pub fn node_disk(image_folder: &Path) -> NodeDisk {
    let tip = CHAIN_TIP;
    let scratch = Scratch::new("node-disk-chain");
    let folder = scratch.path().to_path_buf();
    run(Command::new("cp").arg("-r").arg(image_folder.join("chain/regtest")).arg(&folder));
    let checked = folder.join("regtest/chainstate").exists();
    let reindex = if checked { "-reindex=0" } else { "-reindex" };
    let mut node = Bitcoind::start_in(scratch, &[reindex, "-txindex=0"]);
    let deadline = Instant::now() + Duration::from_secs(600);
    while node.rpc.call("getblockcount", json!([])) != json!(tip) {
        assert!(Instant::now() < deadline, "bitcoind does not reach block {tip}");
        sleep(Duration::from_millis(500));
    }
    node.stop();

    let index = Scratch::new("node-disk-index");
    let (from, to) = (folder.display().to_string(), index.path().display().to_string());
    let at = ["--network", "regtest", "--bitcoin-dir", &from, "--data-dir", &to, "--offline"];
    let hekte_here = env!("CARGO_BIN_EXE_hekte");
    let built = hekte::run(hekte_here, index.path(), &[&at[..], &["--sync-only"]].concat());
    assert!(built.status.success(), "{}", built.stderr);
    let told = hekte::run(hekte_here, index.path(), &[&at[..], &["digest"]].concat());
    let digest = told.stdout.split_whitespace().next().unwrap_or_default().to_owned();
    assert_eq!(digest.len(), 64, "{} {}", told.stdout, told.stderr);

    let disk = Scratch::new("node-disk");
    let root = disk.join("root");
    fs::create_dir(&root).unwrap();
    run(Command::new("cp").arg("-r").arg(&folder).arg(root.join("bitcoin")));
    let image = disk.join("disk.img");
    run(Command::new("truncate").args(["-s", "2G"]).arg(&image));
    run(Command::new("mke2fs")
        .args(["-q", "-t", "ext4", "-F", "-L", "node-disk", "-d"])
        .args([&root, &image]));
    fs::remove_dir_all(&root).unwrap();
    NodeDisk { _scratch: disk, image, tip, txs: CHAIN_TXS, digest }
}
