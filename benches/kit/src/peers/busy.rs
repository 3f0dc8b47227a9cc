//! The first question about a script with very many entries, to a server that was just started.

use std::path::Path;
use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use serde_json::{Value, json};

use crate::cold::drop_caches;
use crate::peers::node::{self, Node};
use crate::peers::server::{Kind, Server, counted};
use crate::peers::{answered, keep, kept};
use crate::probes::Probes;
use crate::queries::greeted;
use crate::stats::{head, ms, row};

/// The fewest entries; scripts with fewer are covered by other benchmarks.
const ENTRIES_MIN: u32 = 4000;
/// Number of runs, of which the median is taken.
const RUNS: usize = 3;
/// The questions of a wallet that is opened, and of one that is opened again.
const ASKED: [&str; 3] = ["subscribe", "get_history", "get_history"];

/// Measures one server, warm and cold.
pub fn run(node: &Node, kind: Kind) {
    // a server that indexes only at its start does so now
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
    // one script of each class
    let first = |class: Vec<(String, u32)>| class.into_iter().next();
    all.filter_map(first).filter(|(_, entries)| *entries >= ENTRIES_MIN).collect()
}

/// Starts a server and asks it about one script.
fn ask(node: &Node, kind: Kind, script: &str, cold: bool) -> Value {
    let server = Server::start(kind, node);
    let mut client = greeted(&server.address);
    if cold {
        drop_caches(&[&node.bitcoind.blocks_dir(), Path::new(&kind.data())]);
    }
    let bitcoind = node.bitcoind.id().expect("it runs");
    let before = [server.counted().cpu, counted(bitcoind).cpu];
    let question = |method| {
        let method = format!("blockchain.scripthash.{method}");
        answered(&mut client, &method, &json!([script]))
    };
    let (times, lines): (Vec<Duration>, Vec<Vec<u8>>) = ASKED.map(question).into_iter().unzip();
    let cpu = [server.counted().cpu - before[0], counted(bitcoind).cpu - before[1]];
    let peak = server.counted().peak_rss;
    server.stop();
    let text: String = lines.iter().map(|line| result(line)).collect();
    json!({
        "times": times.iter().map(|time| time.as_secs_f64() * 1e3).collect::<Vec<_>>(),
        "cpu": cpu,
        "peak_rss": peak,
        "digest": sha256::Hash::hash(text.as_bytes()).to_string(),
    })
}

fn result(line: &[u8]) -> String {
    let reply: Value = serde_json::from_slice(line).expect("JSON");
    assert!(reply["error"].is_null(), "{reply}");
    reply["result"].to_string()
}

/// Prints the results that were kept. Panics if two answers differ.
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

/// The median of a number over all runs that were warm, or cold.
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
