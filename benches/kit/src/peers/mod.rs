//! `make bench-peers`: hekte, electrs and ElectrumX, one after the other, on one bitcoind.

mod answers;
mod busy;
mod node;
mod one;
mod proven;
mod server;
mod synchronise;
mod table;
mod wallet;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hekte_testkit::client::{Client, Line};
use serde_json::{Value, json};

use crate::peers::node::Node;
use crate::peers::server::{Kind, Server, counted, index_bytes};
use crate::probes::Probes;
use crate::queries::{Questions, greeted, questions};

pub use one::run as ask_one;

/// About how long each list of questions is asked; it is bounded since ElectrumX holds back small
/// replies.
const PATIENCE: Duration = Duration::from_secs(2);

/// The folder of the other servers, the node and all results.
pub fn folder() -> PathBuf {
    let target = crate::beside().parent().map(Path::to_path_buf).unwrap_or_default();
    target.join("peers")
}

/// Bytes of all files below a folder.
pub fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => bytes_below(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.map(bytes).sum()
}

/// Runs `peers prepare|sync NAME|ask NAME|wallet NAME|busy NAME|table`; without words, all of them.
pub fn run(words: &[&str]) {
    let kinds = |names: &[&str]| -> Vec<Kind> {
        let named = |name: &&str| Kind::named(name).unwrap_or_else(|| panic!("{name}: no server"));
        if names.is_empty() { Kind::ALL.to_vec() } else { names.iter().map(named).collect() }
    };
    match words {
        ["prepare"] => drop(node::start()),
        ["sync", names @ ..] => {
            kinds(names).into_iter().for_each(|kind| sync(&node::start(), kind))
        }
        ["ask", names @ ..] => kinds(names).into_iter().for_each(|kind| ask(&node::start(), kind)),
        ["wallet", names @ ..] => {
            kinds(names).into_iter().for_each(|kind| wallet::run(&node::start(), kind))
        }
        ["busy", names @ ..] => {
            kinds(names).into_iter().for_each(|kind| busy::run(&node::start(), kind))
        }
        ["table"] => print(),
        [] => {
            let node = node::start();
            Kind::ALL.into_iter().for_each(|kind| sync(&node, kind));
            Kind::ALL.into_iter().for_each(|kind| ask(&node, kind));
            Kind::ALL.into_iter().for_each(|kind| wallet::run(&node, kind));
            Kind::ALL.into_iter().for_each(|kind| busy::run(&node, kind));
            print();
        }
        _ => panic!("peers [prepare | sync | ask | wallet | busy [NAME ...] | table]"),
    }
}

/// Prints the results of the earlier steps.
fn print() {
    table::print();
    wallet::print();
    busy::print();
}

fn keep(kind: Kind, what: &str, value: &Value) {
    let folder = folder().join("results");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let file = folder.join(format!("{}.{what}.json", kind.name()));
    fs::write(file, value.to_string()).expect("the target folder can be written");
}

/// A result that an earlier step kept.
fn kept(kind: Kind, what: &str) -> Option<Value> {
    let file = folder().join("results").join(format!("{}.{what}.json", kind.name()));
    serde_json::from_str(&fs::read_to_string(file).ok()?).ok()
}

/// Indexes the chain from nothing.
fn sync(node: &Node, kind: Kind) {
    eprintln!("{}: indexing", kind.title());
    let _ = fs::remove_dir_all(kind.data());
    let bitcoind = node.bitcoind.id().expect("it runs");
    let before = counted(bitcoind).cpu;
    let server = Server::start(kind, node);
    let (wall, cost) = (server.wall.as_secs_f64(), server.counted());
    let bitcoind_cpu = counted(bitcoind).cpu - before;
    server.stop();
    let figures = json!({
        "wall": wall,
        "cpu": cost.cpu,
        "bitcoind_cpu": bitcoind_cpu,
        "peak_rss": cost.peak_rss,
        "written": cost.written,
        "index": index_bytes(kind),
        "txindex": node.txindex_bytes(),
    });
    eprintln!("{figures}");
    keep(kind, "sync", &figures);
}

/// Asks all questions, twice for the times and once for the answers.
fn ask(node: &Node, kind: Kind) {
    eprintln!("{}: questions", kind.title());
    let server = Server::start(kind, node);
    let (mut times, mut contents) = (Vec::new(), serde_json::Map::new());
    for questions in questions(&Probes::of(node::CHAIN)) {
        let first = timed(&server.address, &questions);
        let second = timed(&server.address, &questions);
        times.push(json!({"name": questions.name, "first": first, "second": second}));
        contents.insert(questions.name.clone(), answers::of(&server.address, &questions));
    }
    keep(kind, "times", &Value::Array(times));
    keep(kind, "answers", &Value::Object(contents));
    server.stop();
}

/// The microseconds of each question, asked one after the other until `PATIENCE` is over.
fn timed(address: &str, questions: &Questions) -> Vec<u64> {
    let mut client: Client = greeted(address);
    let (begin, mut times) = (Instant::now(), Vec::new());
    for params in &questions.params {
        let (taken, _) = answered(&mut client, questions.method, params);
        times.push(taken.as_micros() as u64);
        if begin.elapsed() > PATIENCE {
            break;
        }
    }
    times
}

/// Asks one question; returns the unparsed reply. Parsing a long reply takes this program longer
/// than it takes the server to make it.
fn answered(client: &mut Client, method: &str, params: &Value) -> (Duration, Vec<u8>) {
    let start = Instant::now();
    client.ask(method, params.clone());
    match client.line(Duration::from_secs(120)) {
        Line::Text(line) => (start.elapsed(), line),
        other => panic!("{method} {params}: {other:?}"),
    }
}
