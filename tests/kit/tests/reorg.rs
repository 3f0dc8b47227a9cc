//! Chains made by hand: reorganisations, chosen payments, loose transactions, before a real node.

use std::time::Duration;

use bitcoin::ScriptBuf;
use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::bitcoind::{self, Bitcoind};
use hekte_testkit::chain::{ChainSpec, Generator, Shape};
use hekte_testkit::maker::{Maker, Pay};
use hekte_testkit::model::{Model, ScriptHash};
use hekte_testkit::script::{Kind, Owner, SIGNED, script_pubkey};
use serde_json::json;

fn grown(node: &Bitcoind, blocks: u32) -> (Maker, Vec<bitcoin::Block>) {
    let spec = ChainSpec { seed: 5, blocks, txs_per_block: 30, ..ChainSpec::default() };
    let mut generator = Generator::new(&spec);
    let blocks = generator.by_ref().map(|b| b.block).collect::<Vec<_>>();
    blocks.iter().for_each(|b| assert!(node.submit(b) || b.header.time < 1_600_000_000));
    (generator.into_maker(), blocks)
}

#[test]
fn reorgs_of_any_depth_stay_valid() {
    if !bitcoind::available("reorg") {
        return;
    }
    let node = Bitcoind::start(&[]);
    let (mut maker, mut blocks) = grown(&node, 140);
    for depth in [1, 2, 10, 39, 3] {
        let top = maker.height();
        maker.rewind(top - depth);
        blocks.truncate((top - depth) as usize + 1);
        for _ in 0..=depth {
            let block = maker.next_block().block;
            node.submit(&block);
            blocks.push(block);
        }
        assert_eq!(node.tip(), maker.tip(), "after a reorg of {depth} blocks");
    }
    let info = node.rpc.call("gettxoutsetinfo", json!(["none"]));
    let (coins, _) = Model::new(&blocks).totals();
    let unspendable = blocks.iter().flat_map(|b| &b.txdata).flat_map(|tx| &tx.output);
    let unspendable = unspendable.filter(|o| o.script_pubkey.len() > 10_000).count() as u64;
    assert_eq!(info["txouts"].as_u64(), Some(coins - unspendable));
}

#[test]
fn chosen_payments_arrive_and_loose_transactions_relay() {
    if !bitcoind::available("reorg") {
        return;
    }
    let node = Bitcoind::start(&[]);
    let (mut maker, mut blocks) = grown(&node, 120);
    let mine = Owner { kind: Kind::P2wpkh, key: 77_777 };
    let theirs = ScriptBuf::from_bytes(vec![0x51, 0x75, 0x51]);
    let mut pays = vec![Pay::Owner(mine, 123_456), Pay::Script(theirs.clone(), 5000)];
    pays.extend(SIGNED.map(|kind| Pay::Owner(Owner { kind, key: 88_888 }, 20_000)));
    let block = maker.block_paying(vec![pays, vec![Pay::Owner(mine, 10_000)]]).block;
    assert!(node.submit(&block));
    blocks.push(block);
    let model = Model::new(&blocks);
    let script = ScriptHash::of(&script_pubkey(&mut maker.ring, mine));
    assert_eq!((model.history(script).len(), model.balance(script)), (2, 133_456));
    assert_eq!(model.balance(ScriptHash::of(&theirs)), 5000);
    for kind in SIGNED {
        let owner = Owner { kind, key: 88_888 };
        let coin = *maker.wallet.coins().iter().find(|c| c.owner == owner).expect("just paid");
        let tx = maker.loose_tx(&[coin], &[Pay::Owner(mine, 15_000)]);
        node.rpc.call("sendrawtransaction", json!([serialize_hex(&tx)]));
    }
    let pool = node.rpc.call("getrawmempool", json!([]));
    assert_eq!(pool.as_array().map(Vec::len), Some(SIGNED.len()));
    node.generate_to_descriptor(1, "raw(51)");
    assert_eq!(node.rpc.call("getrawmempool", json!([])), json!([]));
}

#[test]
fn bench_chains_are_valid_too_and_survive_a_kill() {
    if !bitcoind::available("reorg") {
        return;
    }
    let mut node = Bitcoind::start(&["-blocksxor=0"]);
    let (blocks, shape) = (108, Shape::Bench);
    let spec = ChainSpec { seed: 6, blocks, txs_per_block: 1500, shape, ..ChainSpec::default() };
    let all: Vec<_> = Generator::new(&spec).collect();
    all.iter().for_each(|b| assert!(node.submit(&b.block) || b.height < 109));
    assert_eq!(node.tip(), all[108].hash());
    node.kill();
    node.run(&[]);
    std::thread::sleep(Duration::from_millis(10));
    all.iter().for_each(|b| assert!(node.submit(&b.block) || b.height < 109));
    assert_eq!(node.tip(), all[108].hash());
    node.restart(&["-reindex"]);
    for _ in 0..600 {
        if node.height() == 108 {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("reindex stays at {}", node.height());
}
