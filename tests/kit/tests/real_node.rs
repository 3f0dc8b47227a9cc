//! The kit against a real bitcoind, which takes our blocks, writes equal undo data, and has our
//! coins.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use bitcoin::ScriptBuf;
use bitcoin::hashes::{Hash, sha256d};
use hekte_testkit::bitcoind::{self, Bitcoind};
use hekte_testkit::chain::{Chain, ChainSpec, generate};
use hekte_testkit::files::{BlockDir, FileOptions, REGTEST_MAGIC, xor};
use hekte_testkit::model::{Model, ScriptHash};
use hekte_testkit::rpc::satoshi;
use hekte_testkit::scratch::Scratch;
use hekte_testkit::undo;
use serde_json::json;

fn mixed() -> Chain {
    generate(&ChainSpec {
        seed: 2026,
        blocks: 260,
        txs_per_block: 40,
        stale_branches: 8,
        ..ChainSpec::default()
    })
}

#[test]
fn a_node_accepts_the_chain_and_agrees_with_files_and_model() {
    if !bitcoind::available("real_node") {
        return;
    }
    let chain = mixed();
    let mut node = Bitcoind::start(&[]);
    for block in chain.blocks.iter() {
        node.submit(&block.block);
    }
    assert_eq!(node.tip(), chain.tip().hash());
    let model = Model::new(chain.active().map(|b| &b.block));
    check_totals(&node, &chain, &model);
    check_scripts(&node, &chain, &model);
    node.stop(); // stopping flushes the files
    check_files(&node.blocks_dir(), &chain);
}

#[test]
fn a_node_indexes_our_files() {
    if !bitcoind::available("real_node") {
        return;
    }
    let chain = mixed();
    let scratch = Scratch::new("ours");
    let options = FileOptions {
        xor: Some([9, 8, 7, 6, 5, 4, 3, 2]),
        max_file: 1 << 20,
        blk_chunk: 1 << 18,
        rev_chunk: 1 << 16,
        ..FileOptions::default()
    };
    let mut dir = BlockDir::create(&scratch.join("regtest/blocks"), options);
    for (number, block) in chain.blocks.iter().enumerate() {
        dir.add(block);
        if number % 50 == 7 {
            dir.stray_blk(&[0x11; 3]);
            dir.store(block);
        }
    }
    assert!(dir.file() > 2);
    let node = Bitcoind::start_in(scratch, &["-reindex"]);
    wait_for(|| node.height() == chain.tip().height);
    assert_eq!(node.tip(), chain.tip().hash());
}

fn wait_for(mut ready: impl FnMut() -> bool) {
    for _ in 0..600 {
        if ready() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("waited for 30 s in vain");
}

/// `gettxoutsetinfo` counts only outputs that can be spent: no OP_RETURN, no script over 10 000
/// bytes.
fn check_totals(node: &Bitcoind, chain: &Chain, model: &Model) {
    let info = node.rpc.call("gettxoutsetinfo", json!(["none"]));
    let (mut coins, mut value) = model.totals();
    for tx in chain.active().flat_map(|b| &b.block.txdata) {
        for output in &tx.output {
            if output.script_pubkey.len() > 10_000 {
                coins -= 1;
                value -= output.value.to_sat();
            }
        }
    }
    assert_eq!(info["txouts"].as_u64(), Some(coins));
    assert_eq!(satoshi(&info["total_amount"]), value);
}

fn check_scripts(node: &Bitcoind, chain: &Chain, model: &Model) {
    let mut scripts: HashMap<ScriptHash, &ScriptBuf> = HashMap::new();
    for tx in chain.active().flat_map(|b| &b.block.txdata) {
        for output in &tx.output {
            scripts.insert(ScriptHash::of(&output.script_pubkey), &output.script_pubkey);
        }
    }
    let mut busy = model.scripthashes();
    busy.sort_by_key(|script| std::cmp::Reverse(model.history(*script).len()));
    assert!(model.history(busy[0]).len() > 300, "there is a hot script");
    for script in busy.iter().take(4).chain(busy.iter().skip(500).take(4)) {
        if scripts[script].is_empty() {
            continue;
        }
        let descriptor = format!("raw({})", scripts[script].to_hex_string());
        let scan = node.rpc.call("scantxoutset", json!(["start", [descriptor]]));
        let coins = scan["unspents"].as_array().expect("an array");
        let unspent = model.unspent(*script);
        assert_eq!(coins.len(), unspent.len(), "{script}");
        assert_eq!(satoshi(&scan["total_amount"]), model.balance(*script));
        for coin in coins {
            let same = |u: &&hekte_testkit::model::Unspent| {
                coin["txid"] == u.txid.to_string().as_str() && coin["vout"] == u.vout
            };
            let ours = unspent.iter().find(same).expect("the model has this coin");
            assert_eq!(coin["height"].as_u64(), Some(u64::from(ours.height)));
            assert_eq!(satoshi(&coin["amount"]), ours.value);
        }
    }
}

/// Checks that the rev files written by the node hold our records in our order.
fn check_files(theirs: &Path, chain: &Chain) {
    let key = fs::read(theirs.join("xor.dat")).expect("Core 28 and later write xor.dat");
    let key: [u8; 8] = key.try_into().expect("8 bytes");
    let scratch = Scratch::new("twin");
    let options = FileOptions { xor: Some(key), ..FileOptions::default() };
    let mut dir = BlockDir::create(scratch.path(), options);
    dir.add_all(&chain.blocks);
    let bodies: HashMap<_, _> = chain.blocks.iter().map(|b| (undo::body(b), b)).collect();
    let theirs_rev = records(&theirs.join("rev00000.dat"), key, 32);
    for (body, sum) in &theirs_rev {
        assert!(bodies.contains_key(body), "an undo record that is not ours");
        assert_eq!(sum.len(), 32);
    }
    assert_eq!(theirs_rev, records(&scratch.join("rev00000.dat"), key, 32));
    let ours = records(&scratch.join("blk00000.dat"), key, 0);
    assert_eq!(ours, records(&theirs.join("blk00000.dat"), key, 0));
    let genesis = sha256d::Hash::hash(&ours[0].0[..80]).to_byte_array();
    assert_eq!(genesis, chain.blocks[0].hash().to_byte_array());
}

fn records(path: &Path, key: [u8; 8], after: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut bytes = fs::read(path).expect("the file is there");
    xor(&mut bytes, Some(key), 0);
    let (mut at, mut out) = (0, Vec::new());
    while at + 8 <= bytes.len() && bytes[at..at + 4] == REGTEST_MAGIC {
        let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        let (body, rest) = bytes[at + 8..].split_at(len);
        out.push((body.to_vec(), rest[..after].to_vec()));
        at += 8 + len + after;
    }
    out
}
