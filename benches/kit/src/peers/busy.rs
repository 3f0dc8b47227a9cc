//! The first question about a script of very many entries, to a server that was just started.

use std::path::Path;
use std::time::Instant;

use bitcoin::hashes::{Hash, sha256};
use serde_json::{Value, json};

use crate::cold::drop_caches;
use crate::peers::node::{self, Node};
use crate::peers::server::{Kind, Server, counted};
use crate::peers::{keep, kept};
use crate::probes::Probes;
use crate::queries::greeted;
use crate::stats::{head, ms, row};

/// Scripts with fewer entries are asked about elsewhere.
const ENTRIES_MIN: u32 = 4000;
/// How often; the median counts.
const RUNS: usize = 3;
/// What a wallet asks when it opens, and when it is opened again.
const ASKED: [&str; 3] = ["subscribe", "get_history", "get_history"];

/// Measures one server, warm and cold.
pub fn run(node: &Node, kind: Kind) {
    // whoever indexes only now does it before
    Server::start(kind, node).stop();
    let mut seen = Vec::new();
    for (script, entries) in busy_scripts() {
        eprintln!("{}: a script of {entries} entries", kind.title());
        ask(node, kind, &script, false);
        let times =
            |cold| -> Vec<Value> { (0..RUNS).map(|_| ask(node, kind, &script, cold)).collect() };
        let figures = json!({"entries": entries, "warm": times(false), "cold": times(true)});
        eprintln!("{figures}");
        seen.push(figures);
    }
    keep(kind, "busy", &Value::Array(seen));
}

fn busy_scripts() -> Vec<(String, u32)> {
    let all = Probes::of(node::CHAIN).scripts.into_iter();
    // one of each class
    let first = |class: Vec<(String, u32)>| class.into_iter().next();
    all.filter_map(first).filter(|(_, entries)| *entries >= ENTRIES_MIN).collect()
}

/// A server of its own, asked about one script.
fn ask(node: &Node, kind: Kind, script: &str, cold: bool) -> Value {
    let server = Server::start(kind, node);
    let mut client = greeted(&server.address);
    if cold {
        drop_caches(&[&node.bitcoind.blocks_dir(), Path::new(&kind.data())]);
    }
    let bitcoind = node.bitcoind.id().expect("it runs");
    let before = [server.counted().cpu, counted(bitcoind).cpu];
    let (mut times, mut text) = (Vec::new(), String::new());
    for method in ASKED {
        let start = Instant::now();
        let answer = client.call(&format!("blockchain.scripthash.{method}"), json!([script]));
        times.push(start.elapsed().as_secs_f64() * 1e3);
        text += &answer.unwrap_or_else(|error| panic!("{method}: {error}")).to_string();
    }
    let cpu = [server.counted().cpu - before[0], counted(bitcoind).cpu - before[1]];
    let peak = server.counted().peak_rss;
    server.stop();
    json!({
        "times": times,
        "cpu": cpu,
        "peak_rss": peak,
        "digest": sha256::Hash::hash(text.as_bytes()).to_string(),
    })
}

/// Prints what was kept. Panics if two answers differ.
pub fn print() {
    let all: Vec<(Kind, Value)> =
        Kind::ALL.into_iter().filter_map(|kind| Some((kind, kept(kind, "busy")?))).collect();
    let Some((_, ours)) = all.first() else { return };
    head(&[
        "",
        "warm ms: subscribe + get_history, get_history again",
        "/ hekte",
        "µs an entry",
        "cold ms: the same",
        "/ hekte",
        "CPU s, warm",
        "bitcoind's CPU s, warm",
        "peak MiB",
    ]);
    for (at, our) in ours.as_array().into_iter().flatten().enumerate() {
        for (kind, seen) in &all {
            line(*kind, &seen[at], our);
        }
    }
}

/// The median of one number in all runs of a sort.
fn median(seen: &Value, sort: &str, number: impl Fn(&Value) -> &Value) -> f64 {
    let runs = seen[sort].as_array().cloned().unwrap_or_default();
    let numbers = runs.iter().filter_map(|run| number(run).as_f64());
    crate::stats::median(numbers.collect())
}

fn line(kind: Kind, seen: &Value, ours: &Value) {
    let expected = &ours["warm"][0]["digest"];
    let runs = ["warm", "cold"].into_iter().flat_map(|sort| seen[sort].as_array().into_iter());
    for run in runs.flatten() {
        assert_eq!(run["digest"], *expected, "{} answered differently", kind.title());
    }
    let time = |of: &Value, sort, at: usize| median(of, sort, |run| &run["times"][at]);
    let first = |of: &Value, sort| time(of, sort, 0) + time(of, sort, 1);
    let entries = seen["entries"].as_f64().unwrap_or(f64::NAN);
    let three = |sort| [0, 1, 2].map(|at| ms(time(seen, sort, at)));
    let told = |sort| {
        let [subscribe, history, again] = three(sort);
        format!("{subscribe} + {history}, {again}")
    };
    let ratio = |sort| ms(first(seen, sort) / first(ours, sort));
    let cpu = |at: usize| format!("{:.2}", median(seen, "warm", |run| &run["cpu"][at]));
    let peak = median(seen, "warm", |run| &run["peak_rss"]);
    row(&[
        format!("{}, {entries} entries", kind.title()),
        told("warm"),
        ratio("warm"),
        ms(first(seen, "warm") * 1e3 / entries),
        told("cold"),
        ratio("cold"),
        cpu(0),
        cpu(1),
        format!("{:.0}", peak / 1_048_576.0),
    ]);
}
