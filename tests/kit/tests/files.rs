//! The file writer: pairing of files, order, the old dialect, and damage that a node survives.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use hekte_testkit::arrival::{Arrivals, shuffle_window};
use hekte_testkit::bitcoind::{self, Bitcoind};
use hekte_testkit::chain::{Chain, ChainSpec, GenBlock, generate};
use hekte_testkit::files::{BlockDir, FileOptions, REGTEST_MAGIC, xor};
use hekte_testkit::scratch::Scratch;
use hekte_testkit::undo::{self, Dialect, UndoWriter};

const KEY: Option<[u8; 8]> = Some([1, 2, 3, 4, 5, 6, 7, 250]);

fn mixed(seed: u64, blocks: u32) -> Chain {
    let spec =
        ChainSpec { seed, blocks, txs_per_block: 30, stale_branches: 5, ..Default::default() };
    generate(&spec)
}

/// The bytes between each magic and the next, wherever the magics are.
fn bodies(path: &Path, tail: usize) -> Vec<Vec<u8>> {
    let Ok(mut bytes) = fs::read(path) else { return Vec::new() };
    xor(&mut bytes, KEY, 0);
    let (mut at, mut out) = (0, Vec::new());
    while at + 8 <= bytes.len() {
        let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        let end = at + 8 + len + tail;
        if bytes[at..at + 4] == REGTEST_MAGIC && end <= bytes.len() {
            out.push(bytes[at + 8..at + 8 + len].to_vec());
            at = end;
        } else {
            at += 1;
        }
    }
    out
}

#[test]
fn undo_lies_beside_its_block_whatever_the_order_of_arrival() {
    let mut chain = mixed(3, 180);
    shuffle_window(&mut chain.blocks, 20, 1);
    let scratch = Scratch::new("files");
    let options = FileOptions { xor: KEY, max_file: 300_000, ..FileOptions::default() };
    let mut dir = BlockDir::create(scratch.path(), options);
    dir.add_all(&chain.blocks);
    let mut undone = 0;
    for file in 0..=dir.file() {
        let revs = bodies(&scratch.join(format!("rev{file:05}.dat")), 32);
        let here = |b: &&GenBlock| dir.place(b.hash()).unwrap().file == file;
        let here: HashSet<_> = chain.blocks.iter().filter(here).map(undo::body).collect();
        assert!(revs.iter().all(|body| here.contains(body)), "file {file}");
        undone += revs.len();
    }
    assert!(dir.file() > 3);
    assert!((180..chain.blocks.len()).contains(&undone), "{undone} of {}", chain.blocks.len());
}

#[test]
fn a_late_branch_is_never_connected_and_a_longer_one_is() {
    let hash = |n: u8| bitcoin::hashes::Hash::from_byte_array([n; 32]);
    let (zero, mut node) = (hash(0), Arrivals::default());
    assert_eq!(node.add(hash(1), zero), [hash(1)]);
    assert_eq!(node.add(hash(3), hash(2)), []); // its parent is missing
    assert_eq!(node.add(hash(2), hash(1)), [hash(2), hash(3)]);
    assert_eq!(node.add(hash(12), hash(1)), []); // a branch that is not longer
    assert_eq!(node.add(hash(13), hash(12)), []);
    assert_eq!(node.add(hash(14), hash(13)), [hash(12), hash(13), hash(14)]);
    assert_eq!(node.add(hash(4), hash(3)), []);
    assert_eq!(node.add(hash(5), hash(4)), [hash(4), hash(5)]); // block 3 has its undo data already
}

#[test]
fn a_node_reads_past_all_damage() {
    if !bitcoind::available("files") {
        return;
    }
    let mut chain = mixed(4, 160);
    let tip = chain.tip().hash();
    shuffle_window(&mut chain.blocks, 16, 2);
    let scratch = Scratch::new("damage");
    let chunks = FileOptions { blk_chunk: 1 << 20, rev_chunk: 1 << 16, ..FileOptions::default() };
    let options = FileOptions { xor: KEY, max_file: 400_000, ..chunks };
    let mut dir = BlockDir::create(&scratch.join("regtest/blocks"), options);
    for (index, block) in chain.blocks.iter().enumerate() {
        if index % 20 == 19 && dir.ends().0 > 0 {
            // overwrites an older, longer record, whose end stays as rubbish
            let (blk, _) = dir.ends();
            dir.store(&chain.blocks[index - 1]);
            dir.overwrite_from(Some(blk), None);
        }
        dir.add(block);
        if index % 30 == 7 {
            dir.stray_blk(&REGTEST_MAGIC);
            dir.store(block);
            dir.stray_rev(&[0; 5]);
        }
    }
    dir.torn(&chain.blocks[20], 200);
    let node = Bitcoind::start_in(scratch, &["-reindex"]);
    for _ in 0..600 {
        if node.tip() == tip {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("the node stays at {}", node.height());
}

/// In 2013 a coin had its height only if it was the last one spent of its transaction.
#[test]
fn the_old_dialect_names_each_height_once() {
    let chain = mixed(8, 150);
    let mut writer = UndoWriter::new(Dialect::Year2013);
    let (mut left, mut with, mut without) = (HashMap::new(), 0, 0);
    for block in &chain.blocks {
        let body = writer.body(block);
        let mut at = size(&body, 0).1;
        for (tx, coins) in block.block.txdata.iter().skip(1).zip(&block.spent) {
            at = size(&body, at).1;
            for (coin, input) in coins.iter().zip(&tx.input) {
                let code;
                (code, at) = number(&body, at);
                if code > 0 {
                    assert_eq!(code, u64::from(coin.height) * 2 + u64::from(coin.coinbase));
                    assert_eq!(body[at], 1);
                    at += 1;
                    let seen = left.insert(input.previous_output.txid, coin.height);
                    assert_eq!(seen, None, "a second last spend");
                    with += 1;
                } else {
                    without += 1;
                }
                at = number(&body, at).1; // amount
                let kind;
                (kind, at) = number(&body, at);
                at += [20, 20, 32, 32, 32, 32]
                    .get(kind as usize)
                    .map_or_else(|| kind as usize - 6, |n| *n);
            }
        }
        assert_eq!(at, body.len());
        assert!(body.len() <= undo::body(block).len());
    }
    assert!(with > 300 && without > 300, "{with} with, {without} without");
}

fn number(bytes: &[u8], mut at: usize) -> (u64, usize) {
    let mut value = u64::from(bytes[at] & 0x7f);
    while bytes[at] & 0x80 != 0 {
        at += 1;
        value = ((value + 1) << 7) | u64::from(bytes[at] & 0x7f);
    }
    (value, at + 1)
}

fn size(bytes: &[u8], at: usize) -> (u64, usize) {
    match bytes[at] {
        0xfd => (u64::from(u16::from_le_bytes([bytes[at + 1], bytes[at + 2]])), at + 3),
        small => (u64::from(small), at + 1),
    }
}
