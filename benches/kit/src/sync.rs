//! Syncs from nothing at several memory budgets, compared with just reading and hashing the files.

use std::{fs, io};

use crate::chain::Size;
use crate::cold;
use crate::limit;
use crate::process::{self, Cost};
use crate::stats::{head, median, row};

/// The memory budgets in MiB.
const BUDGETS: [u64; 3] = [128, 256, 512];

/// Measures each chain and prints a table. Before each run the block files are read into the page
/// cache, or with `BENCH_COLD` removed from it. Without that step a run would depend on the one
/// before, since a sync drops from the cache what it has read.
pub fn run(sizes: &[Size]) {
    for size in sizes {
        size.make();
    }
    let limited = if limit::possible() { "enforced by a control group" } else { "not enforced" };
    let cold = std::env::var_os("BENCH_COLD").is_some();
    let cached = if cold { "not cached" } else { "cached" };
    println!("\nsync from block files, which are {cached}; the budget is {limited}");
    head(&[
        "chain",
        "budget MiB",
        "wall s",
        "CPU s",
        "peak MiB",
        "anon MiB",
        "group MiB",
        "written MB",
        "index MB",
        "B/tx",
        "written/index",
        "µs/tx",
        "wall / read+hash",
        "CPU / read+hash",
    ]);
    let runs = std::env::var("BENCH_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(3);
    for size in sizes {
        measure(*size, runs, cold);
    }
}

fn measure(size: Size, runs: usize, cold: bool) {
    let mut plain = Vec::new();
    let mut synced: Vec<Vec<Cost>> = vec![Vec::new(); BUDGETS.len()];
    // in turn, so that a slow minute of the machine affects all alike
    for _ in 0..runs {
        prepare(size, cold);
        plain.push(read_and_hash(size));
        for (budget, costs) in BUDGETS.iter().zip(&mut synced) {
            prepare(size, cold);
            costs.push(sync(size, *budget));
        }
    }
    let (plain_wall, plain_cpu) = (middle(&plain, |c| c.wall), middle(&plain, |c| c.cpu));
    let name = format!("{} ({} MB)", size.name, size.bytes() / 1_000_000);
    let dash = || "–".to_string();
    row(&[
        name.clone(),
        "read and hash".into(),
        format!("{plain_wall:.2}"),
        format!("{plain_cpu:.2}"),
        mib(most(&plain, |c| c.peak_rss)),
        mib(most(&plain, |c| c.peak_anon)),
        dash(),
        dash(),
        dash(),
        dash(),
        dash(),
        dash(),
        "1".into(),
        "1".into(),
    ]);
    for (budget, costs) in BUDGETS.iter().zip(&synced) {
        let of = |get: fn(&Cost) -> f64| middle(costs, get);
        let index = field(&costs[0].stdout, "index_bytes");
        let (wall, cpu, written) = (of(|c| c.wall), of(|c| c.cpu), of(|c| c.written as f64));
        row(&[
            name.clone(),
            budget.to_string(),
            format!("{wall:.2}"),
            format!("{cpu:.2}"),
            mib(most(costs, |c| c.peak_rss)),
            mib(most(costs, |c| c.peak_anon)),
            mib(most(costs, |c| c.peak_group)),
            format!("{:.1}", written / 1e6),
            format!("{:.1}", index / 1e6),
            format!("{:.2}", index / field(&costs[0].stdout, "transactions")),
            format!("{:.2}", written / index),
            format!("{:.2}", wall * 1e6 / field(&costs[0].stdout, "transactions")),
            format!("{:.2}", wall / plain_wall),
            format!("{:.2}", cpu / plain_cpu),
        ]);
    }
}

/// Brings the block files into the page cache, or removes them from it.
fn prepare(size: Size, cold: bool) {
    if cold {
        cold::drop_caches(&[&size.blocks_dir()]);
        return;
    }
    let files = fs::read_dir(size.blocks_dir()).expect("the chain was made");
    for file in files {
        let path = file.expect("a folder that can be read").path();
        let mut file = fs::File::open(&path).expect("a file of the chain");
        io::copy(&mut file, &mut io::sink()).expect("a file that can be read");
    }
}

fn middle(costs: &[Cost], get: fn(&Cost) -> f64) -> f64 {
    median(costs.iter().map(get).collect())
}

fn most(costs: &[Cost], get: fn(&Cost) -> u64) -> f64 {
    costs.iter().map(get).max().unwrap_or_default() as f64
}

fn mib(bytes: f64) -> String {
    format!("{:.0}", bytes / 1_048_576.0)
}

fn read_and_hash(size: Size) -> Cost {
    let own = std::env::current_exe().expect("this program has a path");
    let folder = size.blocks_dir();
    process::run(None, &own, &["read-and-hash", &folder.to_string_lossy()])
}

/// A sync from nothing; the index is kept for the questions.
pub fn sync(size: Size, budget: u64) -> Cost {
    let data = size.folder().join("hekte");
    let _ = fs::remove_dir_all(&data);
    let memory = format!("{budget}MiB");
    let (data, bitcoin) = (data.to_string_lossy(), size.folder());
    let args = [
        "--network",
        "regtest",
        "--bitcoin-dir",
        &bitcoin.to_string_lossy(),
        "--data-dir",
        &data,
        "--offline",
        "--sync-only",
        "--memory",
        &memory,
    ];
    process::run(Some(budget), &crate::hekte(), &args)
}

/// A number from the program's last line of output.
fn field(line: &str, name: &str) -> f64 {
    let words = line.split_whitespace();
    let value = words.filter_map(|word| word.split_once('=')).find(|(key, _)| *key == name);
    value.and_then(|(_, value)| value.parse().ok()).unwrap_or(f64::NAN)
}
