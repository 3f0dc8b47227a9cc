//! Two scripts of one transaction whose prefixes are equal as far as runs hold them.

use std::collections::HashMap;

use bitcoin::{Network, OutPoint, ScriptBuf};
use hekte::ids::ScriptHash;
use hekte_testkit::chain::describe;
use hekte_testkit::files::{BlockDir, FileOptions};
use hekte_testkit::scratch::Scratch;

use crate::answers;
use crate::by_hand::{chain_of, pay};
use crate::common::{Index, ONE_BATCH};
use crate::tight::TIGHT;

/// Two scripts whose short prefixes are equal; the one with the smaller whole prefix comes first.
fn twins_by_prefix(index: &Index) -> [ScriptBuf; 2] {
    let bits = index.params.prefix_bits();
    let mut seen = HashMap::new();
    for salt in 0u32.. {
        let script = ScriptBuf::from_bytes([&[0x51, 4][..], &salt.to_le_bytes()].concat());
        let prefix = ScriptHash::of(script.as_bytes()).prefix();
        if let Some((other, before)) = seen.insert(bits.shorten(prefix), (script.clone(), prefix)) {
            return if before < prefix { [other, script] } else { [script, other] };
        }
    }
    unreachable!("some pair in 2^34 is found after half a million tries")
}

/// A block in memory has its postings in order of whole prefixes. When it is written, a transaction
/// that touches both scripts must still be one posting of their common short prefix.
#[test]
fn two_scripts_that_share_a_short_prefix_are_written_as_one_posting() {
    let scratch = Scratch::new("short-prefixes");
    let [low, high] = twins_by_prefix(&Index::over(scratch.path(), Network::Regtest));
    let fund = pay(1, &[], &[7; 30]);
    let txid = fund.compute_txid();
    // spends one output of the first transaction, or is a coinbase
    let pays = |salt: u8, coins: bool, scripts: &[&ScriptBuf]| {
        let coin = [OutPoint { txid, vout: u32::from(salt) }];
        let coins = if coins { &coin[..] } else { &[] };
        let mut tx = pay(salt, coins, &vec![1; scripts.len()]);
        for (output, script) in tx.output.iter_mut().zip(scripts) {
            output.script_pubkey = (*script).clone();
        }
        tx
    };
    let both = pays(3, true, &[&low, &high]);
    let mut bodies = vec![vec![fund], vec![pay(2, &[], &[8]), both, pays(4, true, &[&low])]];
    bodies.extend((5..15).map(|salt| vec![pays(salt, false, &[&high, &low])]));
    let blocks = chain_of(bodies);
    BlockDir::create(scratch.path(), FileOptions::default()).add_all(&describe(blocks.clone()));
    let built = Index::over(scratch.path(), Network::Regtest).built(ONE_BATCH);
    answers::compare(&built.serve().engine, &blocks);

    let index = Index::over(scratch.path(), Network::Regtest);
    let plan = index.plan().unwrap();
    let mut short = index.plan().unwrap();
    short.truncate(2);
    index.run(&short, ONE_BATCH, false).unwrap();
    let mut served = index.open_with(TIGHT).unwrap();
    for height in 2..blocks.len() as u32 {
        index.connect(&mut served.live, &plan, height..height + 1);
        served.live.publish();
        served.live.flush_if_due().unwrap();
        while served.live.merge_step().unwrap() {}
    }
    answers::compare(&served.engine, &blocks);
    assert!(index.verify().is_sound(), "{}", index.verify());
}
