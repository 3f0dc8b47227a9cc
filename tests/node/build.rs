//! Building beside a node: right answers in the end, polite errors and patience until then.

use std::time::Duration;

use hekte_testkit::hekte::Hekte;
use serde_json::{Value, json};

use crate::world::{BINARY, World, refs, until};

/// Checks the behaviour of electrs 0.11 during a build that dashboards rely on.
fn manners_while_building(hekte: &Hekte) {
    let mut client = hekte.client();
    let version = client.call("server.version", json!(["probe", "1.4"])).expect("a version");
    assert!(version[0].as_str().is_some_and(|name| name.starts_with("hekte")), "{version}");
    let tip = client.call("blockchain.headers.subscribe", json!([])).expect("a tip");
    assert!(tip["height"].is_u64() && tip["hex"].as_str().is_some_and(|hex| hex.len() == 160));
    let header = client.call("blockchain.block.header", json!([0])).expect("a header");
    assert_eq!(header.as_str().map(str::len), Some(160));
    for method in ["server.ping", "server.banner", "blockchain.relayfee"] {
        client.ask(method, json!([]));
        let reply: Value = client.json(Duration::from_secs(5));
        assert_eq!(reply["error"]["code"], -32603, "{reply}");
        assert_eq!(reply["error"]["message"], "unavailable index", "{reply}");
        assert!(reply.get("result").is_none(), "{reply}");
    }
}

#[test]
fn a_built_index_answers_like_the_chain() {
    let Some(world) = World::new("a_built_index_answers_like_the_chain") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    world.same_as_built_anew("a", world.height(), &["--offline"]);
    world.same_as_built_anew("a", world.height(), &[]);
}

#[test]
fn started_before_bitcoind_it_waits_with_good_manners() {
    let Some(mut world) = World::new("started_before_bitcoind") else { return };
    world.node.stop();
    let mut hekte = world.hekte("a", &[]);
    manners_while_building(&hekte);
    hekte.wait_log("waiting for bitcoind");
    world.node.run(&[]);
    world.right(&hekte);

    // if an index exists already, its confirmed answers are served meanwhile
    hekte.terminate();
    world.node.stop();
    let mut hekte = world.hekte("a", &[]);
    hekte.wait_log("bitcoind cannot be asked");
    world.right(&hekte);
    world.node.run(&[]);
    world.mine(2);
    world.right(&hekte);
}

#[test]
fn a_stopped_bitcoind_stops_no_confirmed_answers() {
    let Some(mut world) = World::new("a_stopped_bitcoind") else { return };
    let mut hekte = world.hekte("a", &[]);
    world.right(&hekte);
    for _ in 0..2 {
        world.node.stop();
        world.right(&hekte);
        // bitcoind comes back with another cookie
        world.node.run(&[]);
        world.mine(3);
        world.right(&hekte);
    }
    world.node.kill();
    hekte.wait_log("bitcoind cannot be asked");
    world.right(&hekte);
    assert!(hekte.is_running());
    // questions that only bitcoind can answer are refused
    let mut client = hekte.client();
    let refused = client.call("blockchain.transaction.broadcast", json!(["00"]));
    assert!(refused.is_err(), "{refused:?}");
    until("stopping", || {
        hekte.signal("TERM");
        !hekte.is_running()
    });
}

#[test]
fn bitcoind_leaving_during_a_build_is_waited_for() {
    let Some(mut world) = World::new("leaving_during_a_build") else { return };
    // bitcoind disappears at different moments of the start
    for wait in [0, 20, 40, 80, 160] {
        let data = format!("away-{wait}");
        let args = world.args(&data, &[]);
        let hekte = Hekte::start(BINARY, world.scratch.path(), &refs(&args));
        std::thread::sleep(Duration::from_millis(wait));
        world.node.kill();
        world.node.run(&[]);
        world.resubmit();
        world.served(&hekte);
        hekte.kill();
    }
}
