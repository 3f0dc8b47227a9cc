//! Full blocks of unseen transactions: how soon after bitcoind a client is notified.

use std::time::{Duration, Instant};

use bitcoin::Block;
use hekte_testkit::bitcoind::Bitcoind;
use hekte_testkit::chain::{ChainSpec, Generator, Shape};
use hekte_testkit::hekte::Hekte;
use hekte_testkit::scratch::Scratch;
use serde_json::json;

use crate::stats::{head, ms, row};

/// Number of blocks before the first full one.
const BLOCKS: u32 = 260;
/// Number of full blocks.
const FULL: usize = 8;

/// Measures and prints a table.
pub fn run() {
    let spec = ChainSpec {
        blocks: BLOCKS,
        txs_per_block: 700,
        shape: Shape::Bench,
        ..ChainSpec::default()
    };
    let mut generator = Generator::new(&spec);
    let node = Bitcoind::start(&[]);
    for made in generator.by_ref().skip(1) {
        node.submit(&made.block);
    }
    let mut maker = generator.into_maker();
    let scratch = Scratch::new("blocks");
    let args = [
        "--network=regtest".to_string(),
        format!("--bitcoin-dir={}", node.datadir().display()),
        format!("--data-dir={}", scratch.path().display()),
        format!("--rpc-url={}", node.rpc.url()),
        "--listen=127.0.0.1:0".into(),
        "--memory=256MiB".into(),
    ];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let binary = crate::hekte();
    let mut server = Hekte::start(&binary.to_string_lossy(), scratch.path(), &args);
    server.wait_log(&format!("serving, height={}", node.height()));
    let mut client = server.client();
    client.call("blockchain.headers.subscribe", json!([])).expect("a tip");
    head(&["block", "weight", "transactions", "bitcoind ms", "client knows after ms"]);
    for n in 0..FULL {
        // an ordinary block first, so that every cache is in its usual state
        let small = maker.empty_block().block;
        for block in [small, maker.full_block().block] {
            let (taken, told) = one(&node, &mut client, &block);
            let (weight, txs) = (block.weight().to_wu(), block.txdata.len());
            let times = [taken, told].map(|time| ms(time.as_secs_f64() * 1e3));
            let [taken, told] = times;
            row(&[n.to_string(), weight.to_string(), txs.to_string(), taken, told]);
        }
    }
}

/// How long bitcoind took for a block, and how much longer until the client was notified.
fn one(
    node: &Bitcoind,
    client: &mut hekte_testkit::client::Client,
    block: &Block,
) -> (Duration, Duration) {
    let begun = Instant::now();
    node.submit(block);
    let known = Instant::now();
    client.notification(Duration::from_secs(20)).expect("a new tip");
    (known - begun, known.elapsed())
}
