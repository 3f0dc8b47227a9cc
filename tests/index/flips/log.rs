//! Flips in the write-ahead log that a power cut leaves beside an index: the last changes may be
//! gone, as they may be after any power cut, but what is left fits together.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hekte::store::open::Mode;
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;

use crate::common::{ONE_BATCH, copy_folder};

use super::btree::Bit;
use super::ends::{End, Ended, campaign, failed, flips_wanted};
use super::world::{World, sound_is_right, upkeep};
use super::{judged, world};

/// An index as a power cut leaves it, with all that was stored last in its log.
struct PowerCut {
    world: Arc<World>,
    folder: Scratch,
}

fn log_of(index: &Path) -> PathBuf {
    let mut path = OsString::from(index);
    path.push("-wal");
    path.into()
}

impl PowerCut {
    fn make() -> PowerCut {
        let (world, folder) = (world(), Scratch::new("power-cut"));
        let index = world.copy();
        // a question that is still being answered keeps the log from being copied
        let reader = index.db(Mode::Read);
        reader.begin_read().unwrap();
        reader.state().unwrap();
        upkeep(&mut world.serve(&index).unwrap()).unwrap();
        copy_folder(index.folder(), folder.path());
        reader.end_read().unwrap();
        PowerCut { world, folder }
    }

    fn go_on(&self, bit: &Bit) -> Ended {
        let world = &self.world;
        let index = world.copy();
        copy_folder(self.folder.path(), index.folder());
        bit.flip(&log_of(&index.path()));
        let mut served = match world.serve(&index) {
            Ok(served) => served,
            Err(error) => return failed(&error),
        };
        let end = judged(world.truth.ask(&served.engine)?, &served)?;
        if end != End::Right {
            return Ok(end);
        }
        if let Err(error) = upkeep(&mut served) {
            return failed(&error);
        }
        drop(served);
        if let Err(error) = index.run(&world.plan, ONE_BATCH, false) {
            return failed(&error);
        }
        match sound_is_right(&index, world.whole)? {
            true => Ok(end),
            false => Err("not sound in the end".into()),
        }
    }
}

#[test]
fn a_flipped_bit_in_the_log_that_a_power_cut_left() {
    let (cut, mut rng) = (Arc::new(PowerCut::make()), Rng::new(9));
    let log = log_of(&cut.folder.join("index.sqlite"));
    let bits: Vec<Bit> = (0..flips_wanted(100, 5)).map(|_| Bit::of_file(&log, &mut rng)).collect();
    campaign("a log left by a power cut", bits.into_iter(), move |bit| cut.go_on(bit));
}
