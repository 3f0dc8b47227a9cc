//! Questions to a running server over TCP: first and second time, cold and warm, 1 or 32 clients.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use hekte_testkit::client::{Client, Line};
use hekte_testkit::hekte::Hekte;
use serde_json::{Value, json};

use crate::chain::Size;
use crate::cold::{Reads, drop_caches};
use crate::probes::{CLASSES, Probes};
use crate::stats::{head, ms, percentile, row};
use crate::sync::sync;

/// Number of clients at once.
pub const MANY: usize = 32;
/// About how long questions of one kind are repeated.
const PATIENCE: Duration = Duration::from_secs(4);

/// One method with the parameters of all its probes.
pub struct Questions {
    /// Its name in the table.
    pub name: String,
    /// The protocol's name.
    pub method: &'static str,
    /// The parameters of each probe.
    pub params: Vec<Value>,
    /// Number of entries of all histories in the answers.
    entries: u64,
}

/// Measures each chain and prints a table.
pub fn run(sizes: &[Size]) {
    for size in sizes {
        size.make();
        sync(*size, 256);
        let probes = Probes::of(*size);
        println!("\nquestions to the {} chain: {}", size.name, probes.counts());
        measure(*size, &questions(&probes));
    }
}

/// The questions for these probes.
pub fn questions(probes: &Probes) -> Vec<Questions> {
    let mut all = Vec::new();
    for (class, scripts) in CLASSES.iter().zip(&probes.scripts) {
        for (short, method) in [
            ("get_history", "blockchain.scripthash.get_history"),
            ("get_balance", "blockchain.scripthash.get_balance"),
            ("listunspent", "blockchain.scripthash.listunspent"),
            ("subscribe", "blockchain.scripthash.subscribe"),
        ] {
            let params = scripts.iter().map(|(script, _)| json!([script])).collect();
            let entries = scripts.iter().map(|(_, length)| u64::from(*length)).sum();
            let name = format!("{short}, {}", class.name);
            all.push(Questions { name, method, params, entries });
        }
    }
    all.extend(about_transactions(probes));
    all.extend(about_headers(probes));
    all.retain(|questions| !questions.params.is_empty());
    all
}

fn about_transactions(probes: &Probes) -> [Questions; 3] {
    let of = |name: &str, method, params: fn(&(String, u32, u32)) -> Value| Questions {
        name: name.into(),
        method,
        params: probes.txs.iter().map(params).collect(),
        entries: 0,
    };
    [
        of("transaction.get", "blockchain.transaction.get", |(txid, _, _)| json!([txid])),
        of("get_merkle", "blockchain.transaction.get_merkle", |(txid, height, _)| {
            json!([txid, height])
        }),
        of("id_from_pos", "blockchain.transaction.id_from_pos", |(_, height, pos)| {
            json!([height, pos, true])
        }),
    ]
}

fn about_headers(probes: &Probes) -> [Questions; 3] {
    let tip = probes.tip;
    let heights = |count: u32| (0..count).map(move |i| i * tip / count);
    let of =
        |name: &str, method, params| Questions { name: name.into(), method, params, entries: 0 };
    let starts = heights(100).map(|height| height * tip.saturating_sub(500) / tip);
    [
        of("block.header", "blockchain.block.header", heights(200).map(|h| json!([h])).collect()),
        of(
            "500 block.headers",
            "blockchain.block.headers",
            starts.map(|h| json!([h, 500])).collect(),
        ),
        of(
            "block.header with proof",
            "blockchain.block.header",
            heights(200).map(|h| json!([h, tip])).collect(),
        ),
    ]
}

fn start(size: Size) -> Hekte {
    let (binary, folder) = (crate::hekte(), size.folder());
    let data = folder.join("hekte");
    let (bitcoin, data) = (folder.to_string_lossy(), data.to_string_lossy());
    let args = [
        "--network",
        "regtest",
        "--bitcoin-dir",
        &bitcoin,
        "--data-dir",
        &data,
        "--offline",
        "--listen",
        "127.0.0.1:0",
        "--memory",
        "256MiB",
    ];
    let server = Hekte::start(&binary.to_string_lossy(), &folder, &args);
    let mut client = greeted(&server.address());
    // the server listens before it serves
    while client.call("blockchain.scripthash.get_balance", json!(["00".repeat(32)])).is_err() {
        thread::sleep(Duration::from_millis(20));
    }
    server
}

fn measure(size: Size, all: &[Questions]) {
    let folders = [size.blocks_dir(), size.folder().join("hekte/regtest")];
    let [blocks, index] = &folders;
    let mut by = "";
    head(&[
        "p50 / p99 ms",
        "probes",
        "cold, first",
        "cold: reads, KiB",
        "warm, first",
        "warm, second",
        "32 clients",
        "32 clients: answers/s",
    ]);
    for questions in all {
        // a new server for each kind, as earlier questions would have filled its cache
        let server = start(size);
        by = drop_caches(&[blocks, index]);
        let before = Reads::of(server.id());
        let cold = ask(&server.address(), questions);
        let read = Reads::of(server.id()).since(before);
        drop(server);
        let server = start(size);
        let address = server.address();
        let first = ask(&address, questions);
        let second = ask(&address, questions);
        let (many, rate) = ask_by_many(&address, questions);
        row(&[
            questions.name.clone(),
            questions.params.len().to_string(),
            pair(&cold),
            reads(questions, read),
            pair(&first),
            pair(&second),
            pair(&many),
            format!("{rate:.0}"),
        ]);
    }
    println!("\ncold: by {by}; warm: files cached; second: the same question again");
}

/// The reads and the KiB from the disk, for each answer and for each entry of a history.
fn reads(questions: &Questions, read: Reads) -> String {
    let per = |count: u64| {
        let kib = read.disk_bytes as f64 / 1024.0 / count as f64;
        format!("{:.1}, {kib:.0}", read.calls as f64 / count as f64)
    };
    let answer = per(questions.params.len() as u64);
    match questions.entries {
        0 => answer,
        entries => format!("{answer}; an entry {}", per(entries)),
    }
}

/// Median and 99th percentile.
pub fn pair(times: &[Duration]) -> String {
    format!("{} / {}", ms(percentile(times, 50)), ms(percentile(times, 99)))
}

/// A client that has negotiated the protocol version.
pub fn greeted(address: &str) -> Client {
    let mut client = Client::connect(address);
    client.patience = Duration::from_secs(120);
    let _ = client.call("server.version", json!(["bench", "1.4"]));
    client
}

/// Asks each question once, one after the other; returns the times.
pub fn ask(address: &str, questions: &Questions) -> Vec<Duration> {
    let mut client = greeted(address);
    questions.params.iter().map(|params| time(&mut client, questions.method, params)).collect()
}

/// Runs all clients at once, each through the whole list from a start of its own. Returns the times
/// and the answers per second.
pub fn ask_by_many(address: &str, questions: &Questions) -> (Vec<Duration>, f64) {
    let times = Mutex::new(Vec::new());
    let begin = Instant::now();
    thread::scope(|scope| {
        for i in 0..MANY {
            let times = &times;
            scope.spawn(move || {
                let mut client = greeted(address);
                let count = questions.params.len();
                let mut own = Vec::new();
                for step in 0..count {
                    let params = &questions.params[(step + i * count / MANY) % count];
                    own.push(time(&mut client, questions.method, params));
                    if begin.elapsed() > PATIENCE {
                        break;
                    }
                }
                times.lock().expect("nobody panics").extend(own);
            });
        }
    });
    let rate = |count: usize| count as f64 / begin.elapsed().as_secs_f64();
    let times = times.into_inner().expect("nobody panics");
    let answers = rate(times.len());
    (times, answers)
}

fn time(client: &mut Client, method: &str, params: &Value) -> Duration {
    let begin = Instant::now();
    client.ask(method, params.clone());
    match client.line(Duration::from_secs(120)) {
        Line::Text(line) => {
            let taken = begin.elapsed();
            // an error would come quickly, but is no answer
            let start = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
            if start.contains("\"error\":{") {
                eprintln!("after {:.1} s: {method} {params}: {start}", taken.as_secs_f64());
            }
            taken
        }
        other => panic!("{method} {params}: {other:?}"),
    }
}
