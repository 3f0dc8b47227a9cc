//! Flipped bits of the databases: each ends as right answers, an error or a rebuild by itself. Some
//! are tried in each test run, thousands by `make faults`.

mod btree;
mod bulk;
mod ends;
mod kept;
mod log;
mod long_run;
mod program;
mod truth;
mod world;

use std::sync::{Arc, OnceLock};

use hekte_testkit::rng::Rng;

use crate::common::{Index, Served};

use self::btree::{Bit, Steering};
use self::ends::{End, Ended, campaign, failed, flips_wanted};
use self::world::{World, sound_is_right, upkeep};

fn world() -> Arc<World> {
    static WORLD: OnceLock<Arc<World>> = OnceLock::new();
    WORLD.get_or_init(World::make).clone()
}

/// Opens a copy with a flipped bit, asks everything, stores new blocks, merges, and asks again.
fn ask_and_store(world: &World, bit: &Bit) -> Ended {
    let index = world.copy();
    bit.flip(&index.path());
    sound_is_right(&index, world.now)?;
    let served = match world.serve(&index) {
        Ok(served) => served,
        Err(error) => return failed(&error),
    };
    match judged(world.truth.ask(&served.engine)?, &served)? {
        End::Right => store_and_ask(world, &index, served),
        other => Ok(other),
    }
}

/// Stores new blocks and merges small runs before anything is asked.
fn store_first(world: &World, bit: &Bit) -> Ended {
    let index = world.copy();
    bit.flip(&index.path());
    match world.serve(&index) {
        Ok(served) => store_and_ask(world, &index, served),
        Err(error) => failed(&error),
    }
}

/// Stores and merges, closes the index, looks at what it holds, and asks again.
fn store_and_ask(world: &World, index: &Index, mut served: Served) -> Ended {
    if let Err(error) = upkeep(&mut served) {
        return failed(&error);
    }
    drop(served);
    sound_is_right(index, world.then)?;
    match world.serve(index) {
        Ok(served) => judged(world.truth.ask_statuses(&served.engine)?, &served),
        Err(error) => failed(&error),
    }
}

/// Refused answers lead to a rebuild only if the damage was noticed.
fn judged(refused: usize, served: &Served) -> Ended {
    match (refused, served.shared.damage()) {
        (0, None) => Ok(End::Right),
        (1.., Some(_)) => Ok(End::Refused),
        (refused, damage) => Err(format!("{refused} answers are refused, damage: {damage:?}")),
    }
}

#[test]
fn any_flipped_bit_of_an_index() {
    let (world, mut rng) = (world(), Rng::new(1));
    let path = world.index.path();
    let bits = (0..flips_wanted(3000, 12)).map(|_| Bit::of_file(&path, &mut rng));
    campaign("any bit of an index", bits, move |bit| ask_and_store(&world, bit));
}

#[test]
fn a_flipped_bit_that_steers_searches() {
    let (world, mut rng) = (world(), Rng::new(2));
    let steering = Steering::of(&world.index.path(), |_| true);
    assert!(steering.levels > 1, "{steering:?}");
    let bits = (0..flips_wanted(500, 20)).map(|_| steering.pick(&mut rng));
    campaign("bits that steer searches", bits, move |bit| ask_and_store(&world, bit));
}

#[test]
fn a_flipped_bit_in_small_runs_before_they_are_merged() {
    let (world, mut rng) = (world(), Rng::new(3));
    let small = world.small_runs();
    let steering = Steering::of(&world.index.path(), |table| small.iter().any(|run| run == table));
    let bits = (0..flips_wanted(100, 8)).map(|n| match n % 2 {
        0 => steering.pick(&mut rng),
        _ => steering.pick_any(&mut rng),
    });
    campaign("small runs before a merge", bits, move |bit| store_first(&world, bit));
}
