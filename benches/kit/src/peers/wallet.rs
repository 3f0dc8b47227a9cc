//! A wallet of 2000 addresses and 10 000 transactions: from connecting to having verified all.

use std::fs;

use bitcoin::hashes::{Hash, sha256};
use serde_json::{Map, Value, json};

use crate::peers::node::{self, Node};
use crate::peers::proven::{digests, prove};
use crate::peers::server::{Kind, Server, counted};
use crate::peers::synchronise::{KINDS, Run, Want, Way, synchronise};
use crate::peers::{keep, kept};
use crate::probes::scripts_of;
use crate::stats::{head, ms, row};

/// Lengths of histories, and the number of addresses: those used a few times, and those used often.
const SCRIPTS: [(std::ops::RangeInclusive<u32>, usize); 2] = [(3..=6, 1969), (60..=140, 31)];
/// Number of unused addresses, which a wallet watches, too.
const UNUSED: u32 = 26;

/// Measures one server; if no earlier step brought it to the tip, this one does.
pub fn run(node: &Node, kind: Kind) {
    let scripts = wallet();
    let bitcoind = node.bitcoind.id().expect("it runs");
    let mut ways = Map::new();
    // indexing happens in a run of its own, so that its peak memory does not count
    Server::start(kind, node).stop();
    for way in Way::ALL {
        eprintln!("{}: a wallet, {}", kind.title(), way.name());
        // a new server for each way, as it would remember the answers of the first
        let server = Server::start(kind, node);
        let (before, node_before) = (server.counted(), counted(bitcoind).cpu);
        let run = synchronise(&server.address, &scripts, way);
        let after = server.counted();
        let node_cpu = counted(bitcoind).cpu - node_before;
        server.stop();
        let mut seen = figures(&run);
        seen.insert("cpu".into(), json!(after.cpu - before.cpu));
        seen.insert("bitcoind_cpu".into(), json!(node_cpu));
        seen.insert("peak_rss".into(), json!(after.peak_rss));
        seen.insert("written".into(), json!(after.written - before.written));
        if run.whole {
            prove(&run);
            seen.insert("digests".into(), digests(&run));
        }
        eprintln!("{}", Value::Object(seen.clone()));
        ways.insert(way.name().into(), Value::Object(seen));
    }
    keep(kind, "wallet", &Value::Object(ways));
}

fn figures(run: &Run) -> Map<String, Value> {
    let of = |wanted: usize| run.answers.keys().filter(|want| want.kind() == wanted).count();
    let used = |(want, answer): (&Want, &Value)| want.kind() == 1 && !answer.is_null();
    let figures = json!({
        "seconds": run.seconds,
        "until": run.until,
        "whole": run.whole,
        "requests": run.answers.len(),
        "used": run.answers.iter().filter(|one| used(*one)).count(),
        "transactions": of(3),
    });
    figures.as_object().cloned().unwrap_or_default()
}

/// The scripts of the wallet; chosen once, then read from a file.
fn wallet() -> Vec<String> {
    let file = super::folder().join("wallet.json");
    if let Ok(text) = fs::read_to_string(&file)
        && let Ok(kept) = serde_json::from_str(&text)
    {
        return kept;
    }
    let mut scripts = scripts_of(node::CHAIN, &SCRIPTS);
    let unused = |n: u32| sha256::Hash::hash(&n.to_le_bytes()).to_string();
    scripts.extend((0..UNUSED).map(unused));
    fs::write(file, json!(scripts).to_string()).expect("the target folder can be written");
    scripts
}

/// Prints the results that were kept. Panics if two servers answered differently.
pub fn print() {
    let all: Vec<(Kind, Value)> =
        Kind::ALL.into_iter().filter_map(|kind| Some((kind, kept(kind, "wallet")?))).collect();
    let Some((_, first)) = all.first() else { return };
    let count = |name: &str| first["lines"][name].to_string();
    let [used, txs, requests] = ["used", "transactions", "requests"].map(count);
    println!("\na wallet of {used} used scripts, {txs} transactions: {requests} requests");
    let until = KINDS.map(|kind| format!("{kind} until s"));
    let mut columns = vec!["", "all s", "/ hekte"];
    columns.extend(until.iter().map(String::as_str));
    columns.extend(["CPU s", "bitcoind's CPU s", "peak MiB", "written MB"]);
    head(&columns);
    for way in Way::ALL {
        for (kind, seen) in &all {
            line(*kind, way, &seen[way.name()], &first[way.name()]);
        }
    }
    agree(&all);
}

fn line(kind: Kind, way: Way, seen: &Value, ours: &Value) {
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let of = |name: &str| number(&seen[name]);
    let more = if seen["whole"] == true { "" } else { "> " };
    let mut cells = vec![
        format!("{}, {}", kind.title(), way.name()),
        format!("{more}{:.2}", of("seconds")),
        format!("{more}{}", ms(of("seconds") / number(&ours["seconds"]))),
    ];
    cells.extend((0..KINDS.len()).map(|stage| format!("{:.2}", number(&seen["until"][stage]))));
    cells.extend([format!("{:.2}", of("cpu")), format!("{:.2}", of("bitcoind_cpu"))]);
    cells.push(format!("{:.0}", of("peak_rss") / 1_048_576.0));
    cells.push(format!("{:.1}", of("written") / 1e6));
    row(&cells);
}

fn agree(all: &[(Kind, Value)]) {
    let told = |(kind, seen): &(Kind, Value), way: Way| {
        let digests = seen[way.name()]["digests"].clone();
        (!digests.is_null()).then(|| (format!("{}, {}", kind.title(), way.name()), digests))
    };
    let told: Vec<(String, Value)> =
        Way::ALL.iter().flat_map(|way| all.iter().filter_map(|one| told(one, *way))).collect();
    let Some((first, digests)) = told.first() else { return };
    for (name, theirs) in &told {
        assert_eq!(digests, theirs, "{first} and {name} answered differently");
    }
    println!("\nproven and equal: all answers to {}", told.len());
}
