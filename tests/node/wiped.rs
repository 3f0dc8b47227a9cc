//! The blocks folder is deleted and created anew under a serving hekte, with another xor key.

use std::fs;
use std::time::Duration;

use crate::world::{World, until};

#[test]
fn a_folder_made_anew_with_another_key_is_read_again() {
    let Some(mut world) = World::new("a_folder_made_anew") else { return };
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    for _ in 0..2 {
        let key = fs::read(world.node.blocks_dir().join("xor.dat")).expect("a key");
        world.node.kill();
        for folder in ["blocks", "chainstate"] {
            let path = world.node.datadir().join("regtest").join(folder);
            fs::remove_dir_all(path).expect("it is ours");
        }
        // answers during this time are right or errors
        world.right_or_looking(&hekte);
        world.node.run(&[]);
        let other = fs::read(world.node.blocks_dir().join("xor.dat")).expect("a key");
        assert_ne!(key, other);
        std::thread::sleep(Duration::from_millis(300));
        world.right_or_looking(&hekte);
        world.resubmit();
        world.mine(2);
        // old blocks are found at their new positions
        until("all is found again", || world.right_or_looking(&hekte));
        world.right(&hekte);
    }
}
