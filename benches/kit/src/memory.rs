//! Memory while serving: many clients ask everything at once, and some of them read slowly.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use hekte_testkit::hekte::Hekte;
use serde_json::{Value, json};

use crate::chain::Size;
use crate::limit::Limit;
use crate::probes::Probes;
use crate::process::field;
use crate::queries::{greeted, questions};
use crate::stats::{head, row};
use crate::sync::sync;

const BUDGETS: [u64; 3] = [128, 256, 512];
const CLIENTS: [usize; 2] = [32, 1000];
/// How long a slow reader reads nothing.
const PAUSE: Duration = Duration::from_secs(3);
/// How long the server may be silent.
const PATIENCE: Duration = Duration::from_secs(60);
/// Number of ordinary questions of each client; fewer if there are many clients.
const QUESTIONS: usize = 20_000;

/// The counts of what all clients received.
#[derive(Default)]
struct Heard {
    answers: AtomicU64,
    errors: AtomicU64,
    bytes: AtomicU64,
    cut: AtomicU64,
}

/// Measures each chain and prints a table.
pub fn run(sizes: &[Size]) {
    head(&[
        "chain",
        "`memory` MiB",
        "clients",
        "started MiB",
        "peak MiB",
        "anon MiB",
        "group MiB",
        "answers",
        "errors",
        "cut off",
        "MB told",
        "s",
    ]);
    for size in sizes {
        size.make();
        sync(*size, 256);
        let probes = Probes::of(*size);
        for budget in BUDGETS {
            CLIENTS.iter().for_each(|clients| measure(*size, &probes, budget, *clients));
        }
    }
}

fn measure(size: Size, probes: &Probes, budget: u64, clients: usize) {
    let limit = Limit::enter(budget);
    let server = start(size, budget, clients);
    if let Some(limit) = &limit {
        limit.step_out();
    }
    ready(&server);
    let path = format!("/proc/{}/status", server.id());
    let mib = |name: &str| field(&path, name).unwrap_or_default() as f64 / 1024.0;
    let started = mib("VmRSS:");
    let (heard, over) = (Heard::default(), Arc::<AtomicBool>::default());
    let watch = thread::spawn({
        let (path, over) = (path.clone(), over.clone());
        move || watch_anon(&path, &over)
    });
    let begun = Instant::now();
    let scripts = requests(probes);
    ask_at_once(&server.address(), clients, &scripts, &heard);
    let seconds = begun.elapsed().as_secs_f64();
    over.store(true, Relaxed);
    let anon = watch.join().expect("no panics") as f64 / 1048576.0;
    row(&[
        size.name.into(),
        budget.to_string(),
        clients.to_string(),
        format!("{started:.0}"),
        format!("{:.0}", mib("VmHWM:")),
        format!("{anon:.0}"),
        limit.as_ref().map_or("–".into(), |l| format!("{:.0}", l.peak() as f64 / 1048576.0)),
        heard.answers.load(Relaxed).to_string(),
        heard.errors.load(Relaxed).to_string(),
        heard.cut.load(Relaxed).to_string(),
        format!("{:.0}", heard.bytes.load(Relaxed) as f64 / 1e6),
        format!("{seconds:.0}"),
    ]);
    drop(server);
}

fn start(size: Size, budget: u64, clients: usize) -> Hekte {
    let folder = size.folder();
    let config = folder.join("memory.toml");
    let most = clients + 10;
    fs::write(&config, format!("max_clients = {most}\n")).expect("the target folder is writable");
    let args = [
        "--network=regtest".to_string(),
        format!("--bitcoin-dir={}", folder.display()),
        format!("--data-dir={}", folder.join("hekte").display()),
        "--offline".into(),
        "--listen=127.0.0.1:0".into(),
        format!("--memory={budget}MiB"),
        format!("--config={}", config.display()),
    ];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Hekte::start(&crate::hekte().to_string_lossy(), &folder, &args)
}

fn ready(server: &Hekte) {
    let mut client = greeted(&server.address());
    while client.call("blockchain.scripthash.get_balance", json!(["00".repeat(32)])).is_err() {
        sleep(Duration::from_millis(20));
    }
}

/// The most anonymous memory seen, in bytes.
fn watch_anon(path: &str, over: &AtomicBool) -> u64 {
    let mut peak = 0;
    while !over.load(Relaxed) {
        peak = peak.max(field(path, "RssAnon:").unwrap_or_default() * 1024);
        sleep(Duration::from_millis(5));
    }
    peak
}

/// The requests that clients send.
struct Requests {
    /// Single lines: all methods over ordinary and busy scripts.
    all: Vec<String>,
    /// Long histories and lists of coins.
    long: Vec<String>,
    /// Batches, some of them of long histories.
    batches: Vec<String>,
}

fn requests(probes: &Probes) -> Requests {
    let request = |method: &str, params: &Value| {
        json!({"id": 1, "method": method, "params": params}).to_string()
    };
    let mut all = Vec::new();
    for asked in questions(probes) {
        all.extend(asked.params.iter().map(|params| request(asked.method, params)));
    }
    let busy = probes.scripts.iter().skip(2).flatten();
    let mut long = Vec::new();
    for (script, _) in busy {
        for method in ["get_history", "listunspent", "subscribe"] {
            let method = format!("blockchain.scripthash.{method}");
            long.push(request(&method, &json!([script])));
        }
    }
    let some = all.iter().step_by(all.len() / 500 + 1).map(String::as_str).collect::<Vec<_>>();
    let batches = vec![format!("[{}]", some.join(",")), format!("[{}]", long.join(","))];
    Requests { all, long, batches }
}

/// Runs all clients at once: ordinary questions, then long ones, whose replies every other client
/// reads late.
fn ask_at_once(address: &str, clients: usize, asked: &Requests, heard: &Heard) {
    thread::scope(|scope| {
        for n in 0..clients {
            let thread = thread::Builder::new().stack_size(256 << 10);
            let work = move || talk(address, n, clients, asked, heard);
            thread.spawn_scoped(scope, work).expect("so many threads");
        }
    });
}

fn talk(address: &str, n: usize, clients: usize, asked: &Requests, heard: &Heard) {
    let mut stream = TcpStream::connect(address).expect("hekte takes so many clients");
    stream.set_read_timeout(Some(PATIENCE)).expect("TCP");
    let count = asked.all.len();
    let own = (0..QUESTIONS / clients).map(|i| &asked.all[(n * 7919 + i * 31) % count]);
    for line in own {
        if !exchange(&mut stream, std::slice::from_ref(line), Duration::ZERO, heard) {
            return;
        }
    }
    let pause = if n.is_multiple_of(2) { PAUSE } else { Duration::ZERO };
    // with many clients each asks for some long replies, with few clients each asks for all
    let count = if clients > 100 { 2 } else { 8 };
    let long: Vec<String> =
        (0..count).map(|i| asked.long[(n + i) % asked.long.len()].clone()).collect();
    if exchange(&mut stream, &long, pause, heard) {
        let batch = asked.batches[n % asked.batches.len()].clone();
        exchange(&mut stream, &[batch], pause, heard);
    }
}

/// Sends all lines, waits, then reads one reply for each; false if the server closed the
/// connection.
fn exchange(stream: &mut TcpStream, lines: &[String], pause: Duration, heard: &Heard) -> bool {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let sent = stream.write_all(text.as_bytes()).is_ok();
    sleep(pause);
    let (mut left, mut chunk, mut begin) = (lines.len(), [0; 65536], Vec::new());
    while sent && left > 0 {
        let Ok(length @ 1..) = stream.read(&mut chunk) else { break };
        heard.bytes.fetch_add(length as u64, Relaxed);
        for part in chunk[..length].split_inclusive(|byte| *byte == b'\n') {
            let room = 60usize.saturating_sub(begin.len());
            begin.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                left -= 1;
                let refused = begin.windows(9).any(|bytes| bytes == br#""error":{"#);
                let counter = if refused { &heard.errors } else { &heard.answers };
                counter.fetch_add(1, Relaxed);
                begin.clear();
            }
        }
    }
    heard.cut.fetch_add(u64::from(left > 0), Relaxed);
    left == 0
}
