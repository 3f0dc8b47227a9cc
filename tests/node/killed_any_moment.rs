//! hekte itself is killed at random moments, and is right whenever it is started again.

use std::time::Duration;

use hekte_testkit::rng::Rng;

use crate::world::{START, World};

#[test]
fn killed_at_any_moment_it_is_right_at_the_next_start() {
    let Some(mut world) = World::new("killed_at_any_moment") else { return };
    let mut rng = Rng::new(20);
    for round in 0..20 {
        let hekte = world.hekte("a", &["--memory", "128MiB"]);
        // some are killed while building, most while following
        if round > 3 {
            world.served(&hekte);
        }
        // enough blocks in all that some kills meet a run being written
        for _ in 0..rng.range(10, 60) {
            world.mine(1);
        }
        if rng.chance(1, 3) {
            world.reorg(rng.range(1, 12) as u32);
        }
        std::thread::sleep(Duration::from_millis(rng.range(0, 150)));
        hekte.kill();
        if round % 5 == 4 {
            world.right(&world.hekte("a", &[]));
        }
    }
    let hekte = world.hekte("a", &[]);
    world.right(&hekte);
    hekte.kill();
    let done = world.run("a", &["verify"]);
    assert!(done.status.success(), "{}{}", done.stdout, done.stderr);
    world.same_as_built_anew("a", START, &["--offline"]);
}
