//! bitcoind loses its last hour and overwrites blocks with others; no answer may ever be wrong.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use hekte_testkit::client::{Answer, Client};
use hekte_testkit::hekte::Hekte;
use hekte_testkit::model::{Model, ScriptHash};
use serde_json::{Value, json};

use crate::answers::{ask, expected, split};
use crate::world::{START, World, until};

/// Clients that ask without end, and check every answer against all chains that were ever right.
struct Watch {
    stop: Arc<AtomicBool>,
    models: Arc<Mutex<Vec<Model>>>,
    asked: Arc<AtomicU32>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    fn start(hekte: &Hekte, model: Model) -> Watch {
        let client = hekte.client();
        let scripts: Vec<_> = model.scripthashes().into_iter().step_by(7).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let models = Arc::new(Mutex::new(vec![model]));
        let asked = Arc::default();
        let inside = (stop.clone(), models.clone(), Arc::clone(&asked));
        let thread = thread::spawn(move || watch(client, &scripts, &inside));
        Watch { stop, models, asked, thread }
    }

    /// Adds a chain to those that are right.
    fn also(&self, model: Model) {
        self.models.lock().unwrap().push(model);
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no wrong answer");
        assert!(self.asked.load(Ordering::Relaxed) > 1000, "too few questions to mean much");
    }
}

type Inside = (Arc<AtomicBool>, Arc<Mutex<Vec<Model>>>, Arc<AtomicU32>);

fn watch(mut client: Client, scripts: &[ScriptHash], (stop, models, asked): &Inside) {
    while !stop.load(Ordering::Relaxed) {
        for scripts in scripts.chunks(50) {
            for (script, answers) in scripts.iter().zip(ask(&mut client, scripts)) {
                let models = models.lock().unwrap();
                judge(*script, &answers, &models);
                asked.fetch_add(1, Ordering::Relaxed);
            }
            let first = models.lock().unwrap()[0].clone();
            for txid in first.transactions().skip(1).step_by(97) {
                let height = first.places(txid)[0].0;
                judge_tx(&mut client, &txid.to_string(), height, models);
            }
        }
    }
}

/// Checks that each answer is an error or right on one of the chains. A chain that is only partly
/// connected has the history of the longer one up to a height.
fn judge(script: ScriptHash, answers: &[Answer; 4], models: &[Model]) {
    let Ok(history) = &answers[0] else { return };
    let history = split(history).0;
    let fits = |model: &Model| {
        let right = expected(model, script)[0].as_array().cloned().unwrap_or_default();
        right.starts_with(&history)
    };
    assert!(models.iter().any(fits), "{script}: {history:?}");
    let coins = answers[1].as_ref().ok().and_then(Value::as_array).cloned().unwrap_or_default();
    let balance = answers[2].as_ref().ok().map(|balance| balance["confirmed"].clone());
    for coin in coins.into_iter().filter(|coin| coin["height"] != 0) {
        let paid = |model: &Model| {
            let txid = coin["tx_hash"].as_str().and_then(|txid| txid.parse().ok());
            let places = txid.map_or(vec![], |txid| model.places(txid).to_vec());
            places.iter().any(|(height, _)| coin["height"] == *height)
        };
        assert!(models.iter().any(paid), "{script}: {coin}, {balance:?}");
    }
}

fn judge_tx(client: &mut Client, txid: &str, height: u32, models: &Mutex<Vec<Model>>) {
    if let Ok(tx) = client.call("blockchain.transaction.get", json!([txid])) {
        let hex = tx.as_str().expect("hex");
        let bytes: Vec<u8> = bitcoin::hex::FromHex::from_hex(hex).expect("hex");
        let tx: bitcoin::Transaction = bitcoin::consensus::deserialize(&bytes).expect("whole");
        assert_eq!(tx.compute_txid().to_string(), txid);
    }
    if let Ok(proof) = client.call("blockchain.transaction.get_merkle", json!([txid, height])) {
        let pos = proof["pos"].as_u64().expect("a number") as u32;
        let models = models.lock().unwrap();
        let right = |model: &Model| {
            let txids = if height <= model.height() { model.block_txids(height) } else { &[] };
            let here = txids.get(pos as usize).is_some_and(|found| found.to_string() == txid);
            here && proof["merkle"] == json!(model.merkle(height, pos))
        };
        assert!(models.iter().any(right), "{txid} {proof}");
    }
}

/// Mines `count` blocks that bitcoind will forget, waits until hekte has them, kills bitcoind.
fn lose(world: &mut World, hekte: &Hekte, count: u32) {
    world.mine(count);
    world.right(hekte);
    world.node.kill();
    world.node.run(&[]);
    let left = world.node.height();
    assert!(left < world.height(), "bitcoind lost nothing");
    world.rewind(world.height() - left);
    assert_eq!(world.node.tip(), world.maker.tip());
}

/// A node whose first blocks are flushed to its disk.
fn settled(test: &str) -> Option<World> {
    let mut world = World::new(test)?;
    world.node.restart(&[]);
    Some(world)
}

#[test]
fn other_blocks_over_the_old_ones_beside_a_running_hekte() {
    let Some(mut world) = settled("other_blocks_running") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    for (lost, then) in [(5, 3), (12, 20), (30, 1)] {
        let watch = Watch::start(&hekte, world.model());
        let before = world.blocks.clone();
        let blocks: Vec<_> = (0..lost).map(|_| world.make()).collect();
        watch.also(world.model());
        blocks.iter().for_each(|block| assert!(world.node.submit(block)));
        world.right(&hekte);
        world.node.kill();
        world.node.run(&[]);
        let left = world.node.height();
        assert!(left < world.height() && left >= START.min(before.len() as u32 - 1));
        world.rewind(world.height() - left);
        for _ in 0..then {
            let block = world.make();
            watch.also(world.model());
            assert!(world.node.submit(&block));
        }
        world.right(&hekte);
        watch.end();
        world.node.restart(&[]);
    }
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    world.same_as_built_anew("a", START, &[]);
}

#[test]
fn other_blocks_over_the_old_ones_while_hekte_is_away() {
    let Some(mut world) = settled("other_blocks_away") else { return };
    for lost in [5, 20] {
        let hekte = world.hekte("a", &[]);
        lose(&mut world, &hekte, lost);
        hekte.kill();
        world.mine(3);
        world.right(&world.hekte("a", &[]));
        world.mine(lost);
        world.right(&world.hekte("a", &[]));
        world.node.restart(&[]);
    }
}

#[test]
fn an_index_ahead_of_the_files_is_led_back() {
    let Some(mut world) = settled("an_index_ahead") else { return };
    world.mine(30);
    // all blocks are built into the database, none followed in memory
    let done = world.run("a", &["--sync-only"]);
    assert!(done.status.success(), "{}", done.stderr);
    world.node.kill();
    world.node.run(&[]);
    let left = world.node.height();
    assert!(left < world.height());
    // the index now knows more blocks than bitcoind
    let hekte = world.hekte("a", &[]);
    world.rewind(world.height() - left);
    world.right(&hekte);
    world.mine(4);
    world.right(&hekte);
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    world.same_as_built_anew("a", left, &[]);
}

#[test]
fn the_same_blocks_at_other_places_are_found_again() {
    let Some(mut world) = settled("other_places") else { return };
    world.mine(20);
    let done = world.run("a", &["--sync-only"]);
    assert!(done.status.success(), "{}", done.stderr);
    world.node.kill();
    world.node.run(&[]);
    let left = world.node.height();
    // other blocks come first, then the known ones, which thus stand at other positions
    let (maker, blocks) = (world.maker.clone(), world.blocks.clone());
    world.rewind(world.height() - left);
    for _ in 0..2 {
        world.mine(1);
    }
    (world.maker, world.blocks) = (maker, blocks);
    world.resubmit();
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    // the same loss under a running hekte, too quick for hekte to see the lower tip
    world.mine(10);
    world.right(&hekte);
    world.node.kill();
    world.node.run(&[]);
    world.resubmit();
    // a question that reads a block at its old position gets an error, once
    until("everything is found again", || world.right_or_looking(&hekte));
    world.right(&hekte);
}
