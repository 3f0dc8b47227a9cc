//! A small chain, and an index with all there can be: inner pages, small runs, blocks in memory.

use std::sync::Arc;

use bitcoin::Network;
use hekte::error::Result;
use hekte::ids::{ShortPrefix, TxNum};
use hekte::index::chunk::{Posting, Tally};
use hekte::inspect::digest::{IndexDigest, digest};
use hekte::inspect::verify::verify;
use hekte::store::open::{Db, Mode};
use hekte::store::records::{RunInfo, RunKind};
use hekte::store::run::RunWriter;
use hekte::store::stream::STREAM_ROWS;
use hekte::sync::build::plan::Plan;
use hekte::sync::served::settings::UpkeepSettings;
use hekte_testkit::chain::{ChainSpec, generate};
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;

use crate::common::{Index, ONE_BATCH, Served, copy_folder};
use crate::random_chains::{active, orderly};
use crate::tight::TIGHT;

use super::truth::Truth;

/// The build ends at this height; the next blocks are in small runs, and the last ones in memory.
const BUILT: u32 = 120;
const ON_DISK: u32 = 179;
const END: u32 = 188;
/// Postings of nobody in the first run, so that its table has inner pages.
const STRANGERS: usize = 30_000;

/// A chain, the answers to all questions about it, and an index of most of it.
pub struct World {
    _blocks: Scratch,
    pub index: Index,
    pub plan: Plan,
    pub truth: Truth,
    /// Of what is in the index, and of what is in it after new blocks were stored.
    pub now: IndexDigest,
    pub then: IndexDigest,
    /// Of the whole chain.
    pub whole: IndexDigest,
}

/// Small steps, so that merges take several.
const SETTINGS: UpkeepSettings = UpkeepSettings { slice_bytes: 20_000, ..TIGHT };

impl World {
    pub fn make() -> Arc<World> {
        let spec =
            ChainSpec { seed: 31, blocks: END - 1, txs_per_block: 10, ..ChainSpec::default() };
        let chain = generate(&spec);
        let blocks = Scratch::new("flips");
        orderly(blocks.path(), &chain);
        let index = Index::over(blocks.path(), Network::Regtest);
        for (height, batch) in [(BUILT, ONE_BATCH), (ON_DISK, 500)] {
            let mut plan = index.plan().unwrap();
            plan.truncate(height);
            index.run(&plan, batch, false).unwrap();
            if height == BUILT {
                add_strangers(&index.db(Mode::Bulk)).unwrap();
            }
        }
        // as it is while it is served; its log is gone when it is closed
        drop(index.db(Mode::ReadWrite));
        let (plan, truth) = (index.plan().unwrap(), Truth::of(&active(&chain)));
        let now = index.digest();
        let mut world = World { _blocks: blocks, index, plan, truth, now, then: now, whole: now };
        let copy = world.copy();
        let mut served = world.serve(&copy).unwrap();
        assert_eq!(world.truth.ask(&served.engine).unwrap(), 0);
        assert!(upkeep(&mut served).unwrap() > 3, "small runs are merged");
        assert_eq!(world.truth.ask(&served.engine).unwrap(), 0);
        world.then = copy.digest();
        drop(served);
        copy.run(&world.plan, ONE_BATCH, false).unwrap();
        world.whole = copy.digest();
        Arc::new(world)
    }

    /// The index in a folder of its own.
    pub fn copy(&self) -> Index {
        let (scratch, loader) = (Scratch::new("flip"), self.index.loader.clone());
        copy_folder(self.index.folder(), scratch.path());
        let Index { slice_bytes, params, .. } = self.index;
        Index { scratch, elsewhere: None, slice_bytes, params, loader }
    }

    /// Serves a copy, with the newest blocks in memory.
    pub fn serve(&self, copy: &Index) -> Result<Served> {
        let mut served = copy.open_with(SETTINGS)?;
        let next = served.live.blocks().0;
        copy.connect(&mut served.live, &self.plan, next..END);
        served.live.publish();
        Ok(served)
    }

    /// The tables of all runs but the first of each kind.
    pub fn small_runs(&self) -> Vec<String> {
        let runs = self.index.db(Mode::Read).runs().unwrap();
        let small = runs.iter().filter(|run| run.range.first.0 > 0);
        small.map(|run| format!("run_{}", run.id)).collect()
    }
}

/// Stores the oldest blocks in memory and merges small runs to the end; the number of steps.
pub fn upkeep(served: &mut Served) -> Result<usize> {
    served.live.flush_if_due()?;
    let mut steps = 0;
    while served.live.merge_step()? {
        steps += 1;
    }
    Ok(steps)
}

/// Writes the run of scripts again, with postings under prefixes that nobody asks for.
fn add_strangers(db: &Db) -> Result<()> {
    let runs = db.runs()?;
    let run = runs.into_iter().find(|run| run.kind == RunKind::Script).unwrap();
    let mut postings: Vec<Posting> =
        db.stream(run, ShortPrefix(0), STREAM_ROWS).collect::<Result<_>>()?;
    let mut rng = Rng::new(8);
    for _ in 0..STRANGERS {
        let prefix = ShortPrefix(rng.below(db.prefix_bits().end()));
        let txnum = TxNum(rng.below(u64::from(run.range.end.0)) as u32);
        postings.push(Posting { prefix, txnum });
    }
    let change = db.change()?;
    change.drop_run(run.id)?;
    change.commit()?;
    write_run(db, run, postings).map(drop)
}

/// Writes a complete run of a kind and range.
pub fn write_run(db: &Db, like: RunInfo, mut postings: Vec<Posting>) -> Result<RunInfo> {
    postings.sort_unstable();
    postings.dedup();
    let mut wanted = Tally::default();
    postings.iter().for_each(|posting| wanted.add(*posting));
    let change = db.change()?;
    let run = change.create_run(like.kind, like.range, wanted)?;
    let mut writer = RunWriter::new(&change, run);
    for posting in postings {
        writer.push(posting)?;
    }
    let run = writer.finish(None)?;
    change.commit()?;
    Ok(run)
}

/// What `hekte verify` calls sound holds what it should; the words of both where it does not.
pub fn sound_is_right(index: &Index, right: IndexDigest) -> std::result::Result<bool, String> {
    let Ok(db) = Db::open(&index.path(), &index.params, Mode::Read) else { return Ok(false) };
    if !verify(&db, &index.params).is_sound() {
        return Ok(false);
    }
    match digest(&db, None) {
        Ok(found) if found == right => Ok(true),
        Ok(_) => Err("verify calls sound what has lost or changed content".into()),
        Err(error) => Err(format!("verify calls sound what cannot be read: {error}")),
    }
}
