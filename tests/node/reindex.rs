//! `-reindex`: undo written anew over old, a chain that climbs from nothing, an index that is kept.

use std::time::Duration;

use bitcoin::Block;

use crate::answers::same_answers;
use crate::world::{World, until};

/// A node with stale blocks of every depth in its files.
fn branched(test: &str) -> Option<World> {
    let mut world = World::new(test)?;
    for depth in [1, 3, 8, 2] {
        world.mine(4);
        // the branch that loses comes first
        let (maker, blocks) = (world.maker.clone(), world.blocks.clone());
        world.rewind(depth);
        let loser: Vec<Block> = (0..depth).map(|_| world.make()).collect();
        loser.iter().for_each(|block| _ = world.node.submit(block));
        (world.maker, world.blocks) = (maker, blocks);
        world.mine(1);
        world.reorg(depth);
    }
    world.node.restart(&[]);
    Some(world)
}

fn is_kept(log: &str) {
    for word in ["beginning anew", "out of the index", "indexed "] {
        assert!(!log.contains(word), "{word}:\n{log}");
    }
}

#[test]
fn a_reindex_beside_a_running_hekte_costs_no_index() {
    let Some(mut world) = branched("a_reindex_beside") else { return };
    world.run("a", &["--sync-only"]);
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    let model = world.model();
    // a node that is far behind says that it is in its first download
    world.node.restart(&["-reindex", "-maxtipage=86400"]);
    for _ in 0..5 {
        same_answers(&mut hekte.client(), &model);
        std::thread::sleep(Duration::from_millis(200));
    }
    until("reindex", || world.node.height() == world.height());
    world.mine(3);
    world.right(&hekte);
    is_kept(&hekte.log());
    world.reorg(5);
    world.right(&hekte);
}

#[test]
fn a_hekte_started_during_or_after_a_reindex_is_right() {
    let Some(mut world) = branched("a_hekte_started_during") else { return };
    world.run("a", &["--sync-only"]);
    world.node.stop();
    world.node.run(&["-reindex", "-maxtipage=86400"]);
    // at once, with an index that is far ahead of bitcoind
    let hekte = world.hekte("a", &[]);
    // and one that has to be built from files in which undo is just being rewritten
    let other = world.hekte("b", &[]);
    world.right(&hekte);
    world.right(&other);
    is_kept(&hekte.log());
    world.mine(2);
    world.right(&hekte);
    world.right(&other);
    drop((hekte, other));
    for data in ["a", "b", "c"] {
        world.right(&world.hekte(data, &[]));
    }
    for data in ["a", "b"] {
        let done = world.run(data, &["--sync-only"]);
        assert!(done.status.success(), "{}", done.stderr);
        world.same_as_built_anew(data, world.height(), &[]);
    }
}

#[test]
fn rewritten_undo_that_is_shorter_than_the_old_confuses_nobody() {
    let Some(mut world) = branched("rewritten_undo") else { return };
    // without the stale blocks' undo the new rev file ends before the old one did
    for round in 0..2 {
        world.node.restart(&["-reindex"]);
        until("reindex", || world.node.height() == world.height());
        let hekte = world.hekte("a", &[]);
        world.right(&hekte);
        // new undo goes into the middle of the old
        for _ in 0..6 {
            world.mine(1);
            world.right(&hekte);
        }
        world.reorg(3);
        world.right(&hekte);
        world.right(&world.hekte(&format!("c{round}"), &[]));
    }
}
