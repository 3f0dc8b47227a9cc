//! A mempool of 300 000 transactions: what it takes in memory, and how long a comparison takes.

use std::time::Instant;

use bitcoin::hashes::Hash;
use hekte::ids::{OutPoint, Txid};
use hekte::limits::MAX_CLIENTS;
use hekte::mempool::compare::difference;
use hekte::mempool::pool::{MemOutput, MemTx, Mempool};
use hekte::mempool::script_tag::ScriptTag;
use hekte::node::mempool::TxidList;
use hekte::shares::Shares;
use hekte_testkit::rng::Rng;
use serde_json::{Value, json};

use crate::process::{self, field};
use crate::stats::{head, row};

/// Blocks of the main chain, as `shares` takes it.
const BLOCKS: usize = 1_000_000;

/// Measures and prints a table.
pub fn run() {
    head(&[
        "transactions",
        "inputs, outputs each",
        "RSS MiB",
        "RSS bytes each",
        "counted bytes each",
        "filled s",
        "list read ms",
        "compared ms",
        "peak RSS MiB",
        "`memory` MiB",
    ]);
    let own = std::env::current_exe().expect("this program has a path");
    for count in [0u32, 100_000, 300_000] {
        let cost = process::run(None, &own, &["mempool-one", &count.to_string()]);
        let told: Value = serde_json::from_str(&cost.stdout).expect("a line of JSON");
        let of = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
        let each = |name: &str| format!("{:.0}", of(name) / f64::from(count.max(1)));
        row(&[
            count.to_string(),
            format!("{:.2}, {:.2}", of("inputs"), of("outputs")),
            format!("{:.0}", of("rss") / 1048576.0),
            each("grown"),
            each("counted"),
            format!("{:.2}", of("filled")),
            format!("{:.0}", of("read") * 1e3),
            format!("{:.0}", of("compared") * 1e3),
            format!("{:.0}", cost.peak_rss as f64 / 1048576.0),
            format!("{}", of("memory")),
        ]);
    }
}

fn rss() -> u64 {
    field("/proc/self/status", "VmRSS:").unwrap_or_default() * 1024
}

fn txid(rng: &mut Rng) -> Txid {
    Txid::from_byte_array(rng.bytes(32).try_into().expect("so many were asked for"))
}

/// As many inputs and outputs as transactions have on average, and a quarter of the inputs spent
/// from other unconfirmed ones.
fn transaction(rng: &mut Rng, last: Txid) -> MemTx {
    let spent = |rng: &mut Rng| OutPoint {
        txid: if rng.chance(1, 4) { last } else { txid(rng) },
        vout: rng.word() as u32,
    };
    let inputs = (0..rng.range(1, 4) - u64::from(rng.chance(1, 4))).map(|_| spent(rng)).collect();
    let output = |rng: &mut Rng| MemOutput { script: ScriptTag(rng.word()), value: rng.word() };
    let outputs = (0..rng.range(1, 4)).map(|_| output(rng)).collect();
    MemTx { txid: txid(rng), fee: rng.below(100_000), vsize: 200, arrival: 0, inputs, outputs }
}

/// The process that is measured.
pub fn run_one(count: &str) {
    let count: u32 = count.parse().expect("a number");
    let (mut rng, mut pool, before) = (Rng::new(5), Mempool::default(), rss());
    let (mut inputs, mut outputs, mut last) = (0, 0, Txid::all_zeros());
    let begun = Instant::now();
    for _ in 0..count {
        let tx = transaction(&mut rng, last);
        (inputs, outputs, last) = (inputs + tx.inputs.len(), outputs + tx.outputs.len(), tx.txid);
        pool.insert(tx);
    }
    let (filled, full) = (begun.elapsed().as_secs_f64(), rss());
    // a hundredth is gone there, and as many are new
    let mut listed: Vec<Txid> = pool.iter().skip(count as usize / 100).map(|tx| tx.txid).collect();
    listed.extend((0..count / 100).map(|_| txid(&mut rng)));
    let text: Vec<String> = listed.iter().map(Txid::to_string).collect();
    let text = json!(text).to_string();
    drop(listed);
    let begun = Instant::now();
    let TxidList(mut theirs) = serde_json::from_str(&text).expect("a list of txids");
    let read = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    theirs.sort_unstable();
    let found = difference(&pool, &theirs, true);
    let compared = begun.elapsed().as_secs_f64();
    assert_eq!((found.gone.len(), found.new.len()), (count as usize / 100, count as usize / 100));
    let memory = (64..4096u64)
        .find(|mib| Shares::of(mib << 20, BLOCKS, MAX_CLIENTS).mempool_bytes >= pool.bytes());
    let txs = f64::from(count.max(1));
    println!(
        "{}",
        json!({
            "inputs": inputs as f64 / txs,
            "outputs": outputs as f64 / txs,
            "rss": full,
            "grown": full - before,
            "counted": pool.bytes(),
            "filled": filled,
            "read": read,
            "compared": compared,
            "memory": memory,
        })
    );
}
