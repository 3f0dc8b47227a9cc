//! `make bench`: the program's speed, size and use of memory and disk, on chains made from a seed.

mod blocks;
mod chain;
mod clients;
mod cold;
mod limit;
mod live;
mod load;
mod memory;
mod mempool;
mod peers;
mod probes;
mod process;
mod queries;
mod read_and_hash;
mod stats;
mod sync;

use std::path::{Path, PathBuf};
use std::process::exit;

use chain::Size;

const USAGE: &str = "bench sync|queries|all [SIZE ...]   measures the program beside this one
bench memory [SIZE ...]             the server's memory while up to 1000 clients ask everything
bench load                          1000 clients watch while payments and blocks come
bench blocks                        full blocks: how soon after bitcoind a client knows
bench peer NAME ADDR:PORT SIZE      asks another server the same questions
bench mempool                       300 000 unconfirmed transactions: memory, comparison
bench peers [STEP ...]              hekte, electrs and ElectrumX on one bitcoind; the steps are
                                    prepare, sync [NAME ...], ask [NAME ...], wallet [NAME ...],
                                    busy [NAME ...], table
bench live [SIZE ...]               blocks one by one (large)
bench make SIZE ...                 makes chains, measures nothing
SIZE: small, middle (the default: both), large, long or huge. BENCH_LARGE=1 adds large and long,
BENCH_HUGE=1 adds huge, BENCH_RUNS is how often each sync is repeated (3).";

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["one", limit, ref command @ ..] => process::run_one(limit, command),
        ["read-and-hash", folder] => read_and_hash::run(Path::new(folder)),
        ["make", ref sizes @ ..] => chosen(sizes).into_iter().for_each(Size::make),
        ["live-one", blocks, data] => live::run_one(Path::new(blocks), Path::new(data)),
        ["live"] => live::run(&[Size::LARGE]),
        ["live", ref sizes @ ..] => live::run(&chosen(sizes)),
        ["sync", ref sizes @ ..] => sync::run(&chosen(sizes)),
        ["queries", ref sizes @ ..] => queries::run(&chosen(sizes)),
        ["blocks"] => blocks::run(),
        ["memory"] => memory::run(&[Size::MIDDLE]),
        ["memory", ref sizes @ ..] => memory::run(&chosen(sizes)),
        ["load"] => load::run(),
        ["mempool"] => mempool::run(),
        ["mempool-one", count] => mempool::run_one(count),
        ["peer", name, address, size] => {
            peers::ask_one(name, address, chosen(&[size])[0]);
        }
        ["peers", ref words @ ..] => peers::run(words),
        [] | ["all"] => {
            sync::run(&chosen(&[]));
            let asked = |size: &Size| size.name != Size::LONG.name;
            queries::run(&chosen(&[]).into_iter().filter(asked).collect::<Vec<_>>());
        }
        _ => {
            eprintln!("{USAGE}");
            exit(64); // EX_USAGE
        }
    }
}

fn chosen(names: &[&str]) -> Vec<Size> {
    if !names.is_empty() {
        let named = |name: &&str| Size::named(name).unwrap_or_else(|| panic!("{name}: {USAGE}"));
        return names.iter().map(named).collect();
    }
    let mut sizes = vec![Size::SMALL, Size::MIDDLE];
    let wanted = |name| std::env::var_os(name).is_some_and(|value| value == "1");
    if wanted("BENCH_LARGE") {
        sizes.extend([Size::LARGE, Size::LONG]);
    }
    if wanted("BENCH_HUGE") {
        sizes.push(Size::HUGE);
    }
    sizes
}

/// The folder of this program, which also holds the measured one.
fn beside() -> PathBuf {
    let own = std::env::current_exe().expect("this program has a path");
    own.parent().expect("a file lies in a folder").to_path_buf()
}

/// The release binary that is measured.
fn hekte() -> PathBuf {
    beside().join("hekte")
}

/// The folder where chains and indexes are kept between runs.
fn work_folder() -> PathBuf {
    let target = beside().parent().map(Path::to_path_buf).unwrap_or_default();
    target.join("bench")
}
