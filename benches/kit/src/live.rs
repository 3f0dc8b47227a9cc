//! Serving after a build: blocks that come one by one, the bytes written for each, and the longest
//! step during which a new block has to wait.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bitcoin::Network;
use hekte::chain::params::ChainParams;
use hekte::host::stop::StopToken;
use hekte::ids::Height;
use hekte::live::progress::Progress;
use hekte::live::served::Served;
use hekte::store::folder::INDEX_FILE;
use hekte::sync::blocks::load::{Load, LoadBuffers};
use hekte::sync::build::build::{Build, Outcome};
use hekte::sync::build::pace::DiskPace;
use hekte::sync::served::index::ServedIndex;
use hekte::sync::served::settings::UpkeepSettings;
use serde_json::{Value, json};

use crate::chain::Size;
use crate::process::{self, field};
use crate::read_and_hash;
use crate::stats::{head, row};

/// A sixth of the chain is built first, in one go, and not counted.
const BUILT: u32 = 6;

/// Measures each chain and prints a table.
pub fn run(sizes: &[Size]) {
    println!("\nblocks one by one behind a built index, with the program's own settings");
    head(&[
        "chain",
        "blocks",
        "tx a block",
        "written to runs KB a block",
        "merges",
        "written by merges KB a block",
        "written in all KB a block",
        "index grew KB a block",
        "longest write to runs ms",
        "longest merge step ms",
        "connect and publish ms a block",
    ]);
    for size in sizes {
        size.make();
        let data = size.folder().join("live");
        let _ = fs::remove_dir_all(&data);
        let own = std::env::current_exe().expect("this program has a path");
        let (blocks, data) = (size.blocks_dir(), data.to_string_lossy().into_owned());
        let args = ["live-one", &blocks.to_string_lossy(), &data];
        let cost = process::run(None, &own, &args);
        let told: Value = serde_json::from_str(&cost.stdout).expect("a line of JSON");
        let of = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
        let each = |name: &str| format!("{:.1}", of(name) / of("blocks") / 1000.0);
        row(&[
            size.name.into(),
            format!("{}", of("blocks")),
            format!("{:.0}", of("txs") / of("blocks")),
            each("run_bytes"),
            format!("{}", of("merges")),
            each("merge_bytes"),
            each("bytes"),
            each("grew"),
            format!("{:.0}", of("longest_flush_ms")),
            format!("{:.0}", of("longest_merge_ms")),
            format!("{:.1}", of("connect_ms") / of("blocks")),
        ]);
    }
}

/// The measured process: builds a part of the chain, then connects the other blocks one by one.
pub fn run_one(folder: &Path, data: &Path) {
    fs::create_dir_all(data).expect("the target folder can be written");
    let params = ChainParams::of(Network::Regtest);
    let (loader, mut plan) = read_and_hash::open(folder);
    let end = plan.blocks();
    let from = end / BUILT;
    plan.truncate(from);
    let build = Build {
        folder: data,
        loader: &loader,
        plan: &plan,
        memory_bytes: 256 << 20,
        batch_bytes: 128 << 20,
        pace: DiskPace { spare_bytes: None, slice_bytes: 64 << 20, threads: 2 },
        progress: &Progress::default(),
        stop: StopToken::default(),
    };
    assert!(matches!(build.run(), Ok(Outcome::Complete(_))));
    let (loader, plan) = read_and_hash::open(folder);
    let settings = UpkeepSettings::default();
    let served = Arc::new(Served::default());
    let live = ServedIndex::open(data, &params, served, settings);
    let mut live = live.unwrap_or_else(|error| panic!("{error}"));
    live.publish();
    let size = || fs::metadata(data.join(INDEX_FILE)).map_or(0, |meta| meta.len());
    let (begun, old_size, old_txs) = (written(), size(), live.snapshot().table.txs());
    let (mut runs, mut merges, mut finished) = (Step::default(), Step::default(), 0);
    let (mut buffers, mut connecting) = (LoadBuffers::default(), Duration::ZERO);
    for height in (from..end).map(Height) {
        let copies = plan.copies(height).expect("a block of the plan");
        let Ok(Load::Block(block)) = loader.load(&copies, &mut buffers) else { panic!("{height}") };
        let hash = hekte::parse::tx::header::hash(&block.rows.header);
        let start = Instant::now();
        live.connect(*block, hash);
        live.publish();
        connecting += start.elapsed();
        runs.take(|| live.flush_if_due().map(|()| false));
        let before = live.snapshot().generation;
        while merges.take(|| live.merge_step()) {}
        finished += live.snapshot().generation - before;
    }
    let blocks = end - from;
    println!(
        "{}",
        json!({
            "blocks": blocks,
            "txs": live.snapshot().table.txs() - old_txs,
            "run_bytes": runs.bytes,
            "merge_bytes": merges.bytes,
            "merges": finished,
            "bytes": written() - begun,
            "grew": size() - old_size,
            "longest_flush_ms": runs.longest.as_secs_f64() * 1e3,
            "longest_merge_ms": merges.longest.as_secs_f64() * 1e3,
            "connect_ms": connecting.as_secs_f64() * 1e3,
        })
    );
}

/// One kind of work: the bytes that it wrote, and its longest step.
#[derive(Default)]
struct Step {
    bytes: u64,
    longest: Duration,
}

impl Step {
    fn take(&mut self, work: impl FnOnce() -> hekte::error::Result<bool>) -> bool {
        let (before, start) = (written(), Instant::now());
        let more = work().unwrap_or_else(|error| panic!("{error}"));
        self.bytes += written() - before;
        self.longest = self.longest.max(start.elapsed());
        more
    }
}

fn written() -> u64 {
    field("/proc/self/io", "write_bytes:").unwrap_or_default()
}
