//! hekte's writing half beside a real bitcoind, killed again and again, with so few blocks in
//! memory that it is nearly always writing.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::Network;
use hekte::blockfile::dir::BlockDir;
use hekte::chain::params::ChainParams;
use hekte::config::node::{NodeConfig, RpcAuth, RpcUrl};
use hekte::host::stop::StopToken;
use hekte::live::served::Served;
use hekte::node::rpc::Rpc;
use hekte::sync::blocks::load::BlockLoader;
use hekte::sync::context::SyncContext;
use hekte::sync::driver::{Driver, SyncSettings};
use hekte_testkit::child;
use hekte_testkit::rng::Rng;

use crate::tight::TIGHT;
use crate::world::{World, until};

/// The file in which the child notes the height that it serves.
const TIP: &str = "tip";

/// Follows a bitcoind until it is killed.
#[test]
#[ignore = "child process of killed_while_following_it_goes_on"]
fn follow_to_be_killed() {
    let Some([url, cookie, blocks, folder]) = child::words() else { return };
    let params = ChainParams::of(Network::Regtest);
    let dir = Arc::new(BlockDir::open(Path::new(&blocks)).unwrap());
    let auth = RpcAuth::Cookie(cookie.into());
    let node = NodeConfig { url: RpcUrl::parse(&url, 18443).unwrap(), auth };
    let tip = Path::new(&folder).join(TIP);
    let context = SyncContext {
        folder: folder.into(),
        loader: Arc::new(BlockLoader::new(dir, &params)),
        served: Arc::new(Served::default()),
        node: Some(Rpc::new(&node)),
        check_node: Box::new(|_| Ok(())),
        on_tip: Box::new(move |new| {
            fs::write(&tip, new.tip.height.to_string()).unwrap();
        }),
        progress: Arc::default(),
        stop: StopToken::default(),
    };
    let settings = SyncSettings {
        memory_bytes: 64 << 20,
        wait_for_download: false,
        threads: 2,
        upkeep: TIGHT,
        sync_only: false,
    };
    let mut driver = Driver { context, settings };
    driver.run().unwrap();
}

fn spawn(world: &World, folder: &Path) -> Child {
    let (rpc, blocks) = (&world.node.rpc, world.node.blocks_dir());
    child::start(
        "killed_following::follow_to_be_killed",
        &[&rpc.url(), &rpc.cookie().display(), &blocks.display(), &folder.display()],
    )
}

fn caught_up(world: &World, folder: &Path) {
    let tip = world.height().to_string();
    until("the child is at the tip", || {
        fs::read_to_string(folder.join(TIP)).is_ok_and(|told| told == tip)
    });
}

#[test]
fn killed_while_following_it_goes_on() {
    let Some(mut world) = World::new("killed_while_following") else { return };
    let asked = std::env::var("HEKTE_KILLS").ok().map(|n| n.parse().expect("HEKTE_KILLS=N"));
    let wanted: u32 = asked.unwrap_or(30);
    let folder = world.data("a").join("regtest/index");
    fs::create_dir_all(&folder).unwrap();
    let (mut rng, mut runs) = (Rng::new(50), 0);
    for kill in 0..wanted {
        let mut child = spawn(&world, &folder);
        for _ in 0..rng.range(1, 14) {
            world.mine(1);
            std::thread::sleep(Duration::from_millis(rng.range(0, 8)));
        }
        if rng.chance(1, 6) {
            world.reorg(rng.range(1, 12) as u32);
        }
        if kill % 10 == 9 {
            caught_up(&world, &folder);
            world.mine(1);
        }
        std::thread::sleep(Duration::from_millis(rng.range(0, 120)));
        child.kill().unwrap();
        child.wait().unwrap();
        let told = world.run("a", &["--offline", "status"]).stdout;
        let of_kind = told.lines().find_map(|line| line.strip_prefix("runs="));
        runs = runs.max(of_kind.and_then(|runs| runs.parse().ok()).unwrap_or(0));
        if kill % 10 == 5 && folder.join("index.sqlite").exists() {
            let done = world.run("a", &["verify"]);
            assert!(done.status.success(), "{}{}", done.stdout, done.stderr);
        }
    }
    println!("{wanted} kills, {} blocks, up to {runs} runs", world.height());
    assert!(runs >= 8, "nothing was there to be merged: {runs}");
    // the program itself, with the usual number of blocks in memory
    match world.height() {
        // only while the scripts are no more than one client may watch
        0..800 => world.right(&world.hekte("a", &[])),
        _ => _ = world.served(&world.hekte("a", &[])),
    }
    let mut child = spawn(&world, &folder);
    world.mine(3);
    caught_up(&world, &folder);
    child.kill().unwrap();
    child.wait().unwrap();
    let done = world.run("a", &["verify"]);
    assert!(done.status.success(), "{}{}", done.stdout, done.stderr);
    world.same_as_built_anew("a", world.height() - 10, &["--offline"]);
}
