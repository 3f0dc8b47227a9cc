//! hekte beside a bitcoind that downloads the chain from another one.

use std::time::Duration;

use hekte_testkit::bitcoind::{Bitcoind, free_port};
use hekte_testkit::rng::Rng;
use serde_json::json;

use crate::world::{World, until};

#[test]
fn node_and_index_are_ready_together() {
    let port = free_port();
    let args = ["-listen=1".to_string(), format!("-bind=127.0.0.1:{port}")];
    let Some(mut world) = World::with("node_and_index", &[&args[0], &args[1]]) else { return };
    world.mine(700);
    let address = format!("127.0.0.1:{port}");
    // with this option it reports that it is in its first download, as a fresh node does
    let fresh = Bitcoind::start(&["-maxtipage=86400"]);
    let _source = std::mem::replace(&mut world.node, fresh);
    let hekte = world.hekte("a", &["--memory", "64MiB"]);
    let mut client = hekte.client();
    let (mut rng, mut seen) = (Rng::new(3), Vec::new());
    while world.node.height() < world.height() {
        // in short pieces, so that hekte indexes while bitcoind downloads
        world.node.rpc.call("setnetworkactive", json!([true]));
        let _ = world.node.rpc.try_call("addnode", json!([address, "onetry"]));
        std::thread::sleep(Duration::from_millis(rng.range(20, 120)));
        world.node.rpc.call("setnetworkactive", json!([false]));
        for _ in 0..rng.range(1, 6) {
            let tip = client.call("blockchain.headers.subscribe", json!([])).expect("a tip");
            let ours = tip["height"].as_u64().expect("a height");
            assert!(ours <= u64::from(world.node.height()), "ahead of what is validated");
            seen.push(ours);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    until("the node is done", || world.node.tip() == world.maker.tip());
    seen.dedup();
    println!("tips on the way: {seen:?}");
    world.right(&hekte);
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    world.same_as_built_anew("a", 600, &["--offline"]);
    assert!(seen.len() > 3, "nothing was indexed on the way: {seen:?}");
}
