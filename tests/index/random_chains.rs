//! Generated chains in files with every kind of disorder: one digest, and every answer right.

use std::path::Path;

use bitcoin::{Block, Network};
use hekte_testkit::arrival::shuffle_window;
use hekte_testkit::chain::{Chain, ChainSpec, generate};
use hekte_testkit::files::{BlockDir, FileOptions, REGTEST_MAGIC};
use hekte_testkit::rng::Rng;
use hekte_testkit::scratch::Scratch;
use hekte_testkit::undo::Dialect;

use crate::answers;
use crate::common::{Index, ONE_BATCH};

/// A chain with every kind of script, and with branches that lose.
pub fn mixed(seed: u64, blocks: u32) -> Chain {
    let spec =
        ChainSpec { seed, blocks, txs_per_block: 25, stale_branches: 6, ..Default::default() };
    generate(&spec)
}

/// The blocks of the active chain.
pub fn active(chain: &Chain) -> Vec<Block> {
    chain.active().map(|block| block.block.clone()).collect()
}

/// Writes files as a node does that was never interrupted.
pub fn orderly(folder: &Path, chain: &Chain) {
    BlockDir::create(folder, FileOptions::default()).add_all(&chain.blocks);
}

/// Writes files that depend on the seed: with or without a key, one or many, of old or new form, in
/// order or not, with copies, stray bytes, torn records and remains of older records.
pub fn disorderly(folder: &Path, chain: &Chain, seed: u64) {
    let mut rng = Rng::new(seed);
    let chunk = |rng: &mut Rng, size| if rng.chance(1, 2) { size } else { 0 };
    let options = FileOptions {
        xor: rng.chance(2, 3).then(|| rng.word().to_le_bytes()),
        max_file: if rng.chance(2, 3) { rng.range(60_000, 400_000) } else { 128 << 20 },
        blk_chunk: chunk(&mut rng, 1 << 18),
        rev_chunk: chunk(&mut rng, 1 << 16),
        dialect: if rng.chance(1, 3) { Dialect::Year2013 } else { Dialect::Today },
        ..FileOptions::default()
    };
    let mut blocks = chain.blocks.clone();
    if rng.chance(1, 2) {
        shuffle_window(&mut blocks, rng.range(2, 40) as usize, seed);
    }
    let mut dir = BlockDir::create(folder, options);
    for (number, block) in blocks.iter().enumerate() {
        if number > 2 && rng.chance(1, 15) {
            // overwrites a longer record, whose end stays
            let (end, _) = dir.ends();
            let earlier = &blocks[rng.below(number as u64) as usize];
            let place = dir.place(earlier.hash()).unwrap();
            if earlier.hash() != blocks[number - 1].hash() && end > 0 && place.offset > 8 {
                dir.stray_blk(&rng.bytes(300));
                dir.overwrite_from(Some(end), None);
            }
        }
        dir.add(block);
        match rng.below(40) {
            0 => dir.stray_blk(&REGTEST_MAGIC),
            1 => dir.stray_blk(&[0; 1]),
            2 => dir.stray_blk(&rng.bytes(50)),
            3 => dir.stray_rev(&rng.bytes(37)),
            4 => dir.stray_rev(&REGTEST_MAGIC),
            5 => {
                dir.store(block);
            }
            6 => dir.torn(block, 90),
            7 => dir.torn(&blocks[number / 2], 200),
            _ => {}
        }
    }
    let (end, _) = dir.ends();
    dir.stray_blk(&rng.bytes(1000));
    dir.overwrite_from(Some(end), None);
    dir.torn(&blocks[blocks.len() - 1], 120);
}

#[test]
fn disorder_in_the_files_changes_nothing() {
    for seed in 1..=2 {
        let chain = mixed(seed, 135);
        let blocks = active(&chain);
        let mut digests = Vec::new();
        for layout in 0..6 {
            let scratch = Scratch::new("layout");
            match layout {
                0 => orderly(scratch.path(), &chain),
                _ => disorderly(scratch.path(), &chain, seed * 100 + layout),
            }
            let batch = [ONE_BATCH, 1, 40, 1000, 7, 300][layout as usize];
            let index = Index::over(scratch.path(), Network::Regtest).built(batch);
            let verdict = index.verify();
            assert!(verdict.is_sound(), "seed {seed} layout {layout}: {verdict}");
            if layout % 2 == 1 {
                let compared = answers::compare(&index.serve().engine, &blocks);
                println!("seed {seed} layout {layout}: {compared:?}");
            }
            digests.push(index.digest());
            assert_eq!(digests[0], digests[layout as usize], "seed {seed} layout {layout}");
        }
    }
}
