//! Following the tip: new blocks, reorganisations, notifications, blocks that go to the database.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use hekte_testkit::client::Client;
use hekte_testkit::hekte::Hekte;
use hekte_testkit::maker::Pay;
use hekte_testkit::model::{self, Model, ScriptHash};
use serde_json::{Value, json};

use crate::answers::{entry, same_answers, split};
use crate::world::{PATIENCE, World};

/// Reads notifications until the tip and all statuses are those of the chain.
fn hear(client: &mut Client, hekte: &Hekte, world: &World, known: &mut BTreeMap<String, Value>) {
    let model = world.model();
    let end = Instant::now() + PATIENCE;
    let (mut tip, mut changed) = (Value::Null, 0);
    let hex = serialize_hex(model.header(model.height()));
    let wanted = json!([{"height": model.height(), "hex": hex}]);
    let mut other = hekte.client();
    let mut right = |script: &str, status: &Value| {
        let mut hash: [u8; 32] = bitcoin::hex::FromHex::from_hex(script).expect("a hash");
        hash.reverse();
        let hash = ScriptHash(hash);
        if json!(model.status(hash)) == *status {
            return true;
        }
        // unless the mempool holds something of it
        let history = other.call("blockchain.scripthash.get_history", json!([script]));
        let items = model.history(hash).iter().map(|i| (i.txid, i64::from(i.height)));
        let loose = split(&history.expect("a history")).1;
        let all = items.chain(loose.iter().filter_map(entry));
        !loose.is_empty() && json!(model::status(all)) == *status
    };
    while tip != wanted || !known.iter().all(|(script, status)| right(script, status)) {
        assert!(Instant::now() < end, "tip {tip}, wanted {wanted}, {changed} statuses came");
        let Some(note) = client.notification(Duration::from_secs(1)) else { continue };
        if note["method"] == "blockchain.headers.subscribe" {
            tip = note["params"].clone();
            continue;
        }
        let script = note["params"][0].as_str().expect("a script").to_string();
        let before = known.insert(script, note["params"][1].clone());
        assert_ne!(before, Some(note["params"][1].clone()), "told without a change");
        changed += 1;
    }
}

#[test]
fn subscribers_hear_of_blocks_and_reorgs() {
    let Some(mut world) = World::new("subscribers_hear") else { return };
    let hekte = world.hekte("a", &[]);
    let mut client = world.served(&hekte);
    client.call("blockchain.headers.subscribe", json!([])).expect("a tip");
    let mut known = BTreeMap::new();
    for script in world.model().scripthashes().iter().take(500) {
        let script = script.to_string();
        let status = client.call("blockchain.scripthash.subscribe", json!([script]));
        known.insert(script, status.expect("a status"));
    }
    for _ in 0..3 {
        world.mine(2);
        hear(&mut client, &hekte, &world, &mut known);
    }
    for depth in [1, 6] {
        world.reorg(depth);
        hear(&mut client, &hekte, &world, &mut known);
    }
    world.right(&hekte);
}

#[test]
fn a_reorg_leaves_nothing_of_the_shorter_branch() {
    let Some(mut world) = World::new("a_longer_branch") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    for depth in [1, 6, 39, 120] {
        world.reorg(depth);
        world.right(&hekte);
        world.mine(1);
        world.right(&hekte);
    }
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    // what the database holds, and what is read again at the next start
    world.right(&world.hekte("a", &[]));
    world.same_as_built_anew("a", 100, &["--offline"]);
}

#[test]
fn a_reorg_off_an_invalidated_branch_and_back_onto_it_is_followed() {
    let Some(mut world) = World::new("an_invalidated_branch") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    for depth in [1, 6, 39, 120] {
        let (maker, blocks) = (world.maker.clone(), world.blocks.clone());
        let first = world.blocks[(world.height() - depth + 1) as usize].block_hash().to_string();
        world.node.rpc.call("invalidateblock", json!([first]));
        world.rewind(depth);
        if depth <= 100 {
            world.right(&hekte); // going down
        } else {
            // a tip that fell so far may be a reindex: ours is kept
            let model = Model::new(&blocks);
            std::thread::sleep(Duration::from_secs(2));
            same_answers(&mut hekte.client(), &model);
        }
        world.mine(depth / 2 + 1);
        if depth <= 100 {
            world.right(&hekte);
        }
        world.node.rpc.call("reconsiderblock", json!([first]));
        (world.maker, world.blocks) = (maker, blocks);
        assert_eq!(world.node.tip(), world.maker.tip());
        world.right(&hekte);
    }
}

#[test]
fn blocks_one_by_one_make_the_same_index_as_a_build() {
    let Some(mut world) = World::new("blocks_one_by_one") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    let mut client = world.served(&hekte);
    client.call("blockchain.headers.subscribe", json!([])).expect("a tip");
    // enough for several runs to be written, with reorganisations in between
    for round in 0..9 {
        for _ in 0..55 {
            world.mine(1);
        }
        world.reorg(round % 4 + 1);
        world.served(&hekte);
    }
    assert!(hekte.log().contains("blocks to the database"), "{}", hekte.log());
    world.right(&hekte);
    let done = hekte.terminate();
    assert!(done.status.success(), "{}", done.stderr);
    world.same_as_built_anew("a", 400, &["--offline"]);
    world.right(&world.hekte("a", &[]));
}

#[test]
fn siblings_of_the_same_shape_keep_their_own_spends() {
    let Some(mut world) = World::new("siblings_of_the_same_shape") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    let payment = || {
        vec![vec![Pay::Script(
            bitcoin::ScriptBuf::new_p2wsh(&bitcoin::WScriptHash::all_zeros()),
            700,
        )]]
    };
    for _ in 0..12 {
        // one transaction each, mostly with one input, which spends another coin
        let first = world.maker.block_paying(payment()).block;
        world.maker.rewind(world.height());
        let second = world.maker.block_paying(payment()).block;
        assert!(world.node.submit(&first));
        world.node.submit(&second);
        world.blocks.push(second);
        world.mine(1);
        world.served(&hekte);
    }
    world.right(&hekte);
    world.right(&world.hekte("b", &[]));
}

#[test]
fn a_hekte_that_was_held_up_catches_up_by_building() {
    let Some(mut world) = World::new("held_up") else { return };
    let hekte = world.hekte("a", &[]);
    // leaves connections to the database behind, which the build must get rid of
    world.right(&hekte);
    hekte.signal("STOP");
    world.mine(600);
    hekte.signal("CONT");
    world.right(&hekte);
    assert!(hekte.log().contains("found "), "it did not build: {}", hekte.log());
    world.mine(3);
    world.right(&hekte);
}
