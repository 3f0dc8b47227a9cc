//! Random wallets and miners for many steps; after each, all who watch must know the truth.
//!
//! `HEKTE_E2E_STEPS` makes runs longer than 40 steps, `HEKTE_E2E_SEED` another one.

use std::time::Instant;

use hekte_testkit::client::Client;
use hekte_testkit::hekte::Hekte;
use serde_json::json;

use crate::asker::Asker;
use crate::random_world::RandomWorld;
use crate::subscriber::Subscriber;

/// A number from the environment.
pub fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// A client that may send packages.
pub fn door(hekte: &Hekte) -> Client {
    let mut client = hekte.client();
    client.call("server.version", json!(["door", "1.6"])).expect("a version");
    client
}

impl RandomWorld {
    /// Something that wallets or miners do.
    pub fn step(&mut self, door: &mut Client) {
        match self.rng.below(100) {
            0..30 => self.payment(door),
            30..42 => self.chain(door),
            42..54 => self.bump(door),
            54..64 => self.double_spend(door),
            64..70 => self.package(door),
            70..80 => self.mine(1),
            80..88 => self.mine_some(),
            88..94 => self.mine_conflict(),
            _ => {
                let depth = self.rng.range(1, 7) as u32;
                self.reorg(depth, door);
            }
        }
    }
}

#[test]
fn all_who_watch_know_what_the_node_knows() {
    let seed = number("HEKTE_E2E_SEED", 1);
    let steps = number("HEKTE_E2E_STEPS", 40);
    let Some(mut world) = RandomWorld::new("all_who_watch", seed) else { return };
    let hekte = world.hekte();
    let mut door = door(&hekte);
    let scripts = world.scripts();
    let asker = Asker::start(hekte.client(), &scripts);
    let mut watching: Vec<Subscriber> = ["1.4", "1.6", "1.7", "1.7"]
        .into_iter()
        .map(|version| world.subscriber(hekte.client(), version))
        .collect();
    let begun = Instant::now();
    // reorganisations of all depths are spread over the run
    let (depths, mut deepest) = ([12, 30, 99, 150], 0);
    for n in 1..=steps {
        for _ in 0..world.rng.range(1, 5) {
            world.step(&mut door);
        }
        if n % (steps / depths.len() as u64).max(1) == 0 {
            let depth = depths[(n * depths.len() as u64 / steps) as usize % depths.len()];
            world.reorg_at_once(depth, &mut door);
            deepest = deepest.max(depth);
        }
        world.settle(&mut watching, &hekte);
        let at = world.rng.below(watching.len() as u64) as usize;
        watching[at].ask(&world.truth);
        if n % 8 == 0 {
            loose_ends(&mut world, &mut door);
        }
        if n % 10 == 5 {
            let first = world.retreat(5);
            world.settle(&mut watching, &hekte);
            world.node.rpc.call("reconsiderblock", json!([first]));
            world.settle(&mut watching, &hekte);
        }
        renew(&mut world, &mut watching, &hekte);
    }
    watching.iter_mut().for_each(|one| one.ask(&world.truth));
    let heard: u32 = watching.iter().map(|one| one.heard).sum();
    let (asked, sent, height) = (asker.end(), world.sent, world.truth.height());
    println!(
        "seed {seed}: {steps} steps in {:?}, {sent} transactions, height {height}, {heard} \
         notifications, {asked} answers under load",
        begun.elapsed()
    );
    let log = hekte.log();
    assert!(
        log.contains("reorganisation: 150 blocks are disconnected"),
        "{deepest} at most\n{log}"
    );
    assert!(heard > steps as u32 && u64::from(sent) > steps, "too little happened");
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    world.same_as_built_anew();
}

/// Somebody leaves and comes back, or begins to watch other things.
fn renew(world: &mut RandomWorld, watching: &mut [Subscriber], hekte: &Hekte) {
    let at = world.rng.below(watching.len() as u64) as usize;
    match world.rng.below(5) {
        0 => {
            let version = ["1.4", "1.6", "1.7", "1.7"][at];
            watching[at] = world.subscriber(hekte.client(), version);
        }
        1 => watching[at].unwatch(3),
        2 if at > 1 => world.outpoints(8).into_iter().for_each(|o| watching[at].watch_outpoint(o)),
        _ => {}
    }
}

/// Fees and sizes of the mempool, and a transaction.
fn loose_ends(world: &mut RandomWorld, door: &mut Client) {
    let bins = door.call("mempool.get_fee_histogram", json!([])).expect("bins");
    let bins = bins.as_array().expect("a list").iter();
    let vsize: u64 = bins.map(|bin| bin[1].as_u64().expect("a size")).sum();
    assert_eq!(vsize, world.truth.pool.values().map(|loose| loose.vsize).sum::<u64>());
    let confirmed = world.truth.blocks.iter().rev().flat_map(|block| &block.txdata).take(40);
    let loose = world.truth.pool.values().map(|loose| &loose.tx).take(5);
    for tx in confirmed.step_by(9).chain(loose) {
        let txid = tx.compute_txid();
        let raw = door.call("blockchain.transaction.get", json!([txid.to_string()]));
        assert_eq!(raw, Ok(json!(bitcoin::consensus::encode::serialize_hex(tx))), "{txid}");
        let Some((height, pos)) = world.truth.model.places(txid).last().copied() else { continue };
        let proof =
            door.call("blockchain.transaction.get_merkle", json!([txid.to_string(), height]));
        let merkle = world.truth.model.merkle(height, pos);
        assert_eq!(proof, Ok(json!({"block_height": height, "pos": pos, "merkle": merkle})));
    }
}
