//! Power cuts under traffic: of hekte and of bitcoind, again and again; never a wrong answer.
//!
//! `HEKTE_E2E_KILLS` is how often hekte is killed (5); bitcoind is killed two times in five.

use std::time::Duration;

use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::client::Client;
use hekte_testkit::hekte::Hekte;
use serde_json::json;

use crate::random_world::RandomWorld;
use crate::subscriber::Subscriber;
use crate::wander::{door, number};

fn watch(world: &mut RandomWorld, hekte: &Hekte) -> [Subscriber; 2] {
    ["1.6", "1.7"].map(|version| world.subscriber(hekte.client(), version))
}

#[test]
fn killed_under_traffic_it_is_right_after_the_next_start() {
    let kills = number("HEKTE_E2E_KILLS", 5);
    let seed = number("HEKTE_E2E_SEED", 2);
    let Some(mut world) = RandomWorld::new("killed_under_traffic", seed) else { return };
    for round in 0..kills {
        let hekte = world.hekte();
        let mut door = door(&hekte);
        let mut watching = watch(&mut world, &hekte);
        for _ in 0..world.rng.range(1, 6) {
            world.step(&mut door);
        }
        if round % 3 == 0 {
            world.settle(&mut watching, &hekte);
        }
        let depth = world.rng.range(1, 30) as u32;
        match round % 4 {
            // in the middle of a reorganisation, of new blocks, of the mempool's comparison
            0 => world.reorg(depth, &mut door),
            1 => world.mine(depth),
            _ => world.step(&mut door),
        }
        std::thread::sleep(Duration::from_millis(world.rng.below(120)));
        hekte.kill();
        // the world goes on without it
        world.mine_any();
        let again = world.hekte();
        let mut watching = watch(&mut world, &again);
        world.settle(&mut watching, &again);
        watching[(round % 2) as usize].ask(&world.truth);
        again.kill();
    }
    let hekte = world.hekte();
    assert!(hekte.terminate().status.success());
    world.same_as_built_anew();
    println!("{kills} kills, {} transactions, height {}", world.sent, world.truth.height());
}

/// The node comes back with what it had flushed; its peers give it the blocks again, and some of
/// the payments.
fn restart_node(world: &mut RandomWorld) {
    let blocks = world.truth.blocks.clone();
    let pool: Vec<String> =
        world.truth.pool.values().map(|loose| serialize_hex(&loose.tx)).collect();
    world.node.run(&[]);
    world.tick();
    for block in &blocks[1..] {
        world.node.submit(block);
    }
    for hex in pool {
        let _ = world.node.rpc.try_call("sendrawtransaction", json!([hex]));
    }
    world.look();
}

fn steps(world: &mut RandomWorld, door: &mut Client, count: u64) {
    (0..count).for_each(|_| world.step(door));
}

#[test]
fn those_who_watch_miss_nothing_while_bitcoind_is_killed() {
    let kills = number("HEKTE_E2E_KILLS", 5) * 2 / 5;
    let seed = number("HEKTE_E2E_SEED", 3);
    let Some(mut world) = RandomWorld::new("bitcoind_is_killed", seed) else { return };
    let hekte = world.hekte();
    let mut door = door(&hekte);
    let mut watching = watch(&mut world, &hekte);
    for round in 0..kills {
        let count = world.rng.range(2, 6);
        steps(&mut world, &mut door, count);
        if round % 2 == 0 {
            world.settle(&mut watching, &hekte);
        }
        world.log.push("bitcoind is killed".into());
        world.node.kill();
        std::thread::sleep(Duration::from_millis(world.rng.below(1500)));
        restart_node(&mut world);
        steps(&mut world, &mut door, 1);
        world.settle(&mut watching, &hekte);
        watching.iter_mut().for_each(|one| one.ask(&world.truth));
    }
    let mut fresh = watch(&mut world, &hekte);
    world.settle(&mut fresh, &hekte);
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    world.same_as_built_anew();
    println!("{kills} kills, {} transactions, height {}", world.sent, world.truth.height());
}
