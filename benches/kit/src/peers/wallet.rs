//! A wallet of 2000 addresses and 10 000 transactions: from connecting to having it all proven.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::time::{Duration, Instant};

use hekte_testkit::client::Client;
use serde_json::{Value, json};

use crate::peers::node::{self, Node};
use crate::peers::server::{Kind, Server, counted};
use crate::probes::scripts_of;
use crate::stats::{head, row};

/// Addresses used a few times, and some used often.
const SCRIPTS: [(std::ops::RangeInclusive<u32>, usize); 2] = [(3..=6, 1930), (60..=140, 70)];
/// Requests on their way at once, each on a line of its own, as a wallet sends them.
const IN_FLIGHT: usize = 100;
/// Requests in one batch; the next one follows the answer.
const BATCH: usize = 100;
/// How long a wallet may take: ElectrumX holds small replies back.
const PATIENCE: Duration = Duration::from_secs(60);
/// Headers in one answer.
const HEADERS: u32 = 2016;

/// How requests are sent.
#[derive(Clone, Copy)]
enum Way {
    Lines,
    Batches,
}

/// What the wallet asks, in this order.
const STAGES: [&str; 5] = ["headers", "subscribe", "get_history", "transaction.get", "get_merkle"];

/// What one run came to.
struct Run {
    /// Seconds of each stage that was finished.
    stages: Vec<f64>,
    /// Requests answered.
    answered: usize,
    txs: usize,
    seconds: f64,
}

/// Prints a table; each server was brought to the tip by an earlier step or is now.
pub fn run(node: &Node, kinds: &[Kind]) {
    let scripts = wallet();
    println!("\na wallet of {} scripts; seconds", scripts.len());
    let mut columns = vec!["server", "way", "transactions", "requests"];
    columns.extend(STAGES);
    columns.extend(["all", "server's CPU", "bitcoind's CPU"]);
    head(&columns);
    let bitcoind = node.bitcoind.id().expect("it runs");
    for kind in kinds {
        for (way, name) in [(Way::Lines, "lines"), (Way::Batches, "batches")] {
            // a server of its own, or the second way would find all remembered
            let server = Server::start(*kind, node);
            let before = [server.counted().cpu, counted(bitcoind).cpu];
            let run = synchronise(&server.address, &scripts, node.tip, way);
            let cpu = [server.counted().cpu - before[0], counted(bitcoind).cpu - before[1]];
            server.stop();
            let mut cells = vec![kind.title().to_string(), name.into()];
            cells.extend([run.txs.to_string(), run.answered.to_string()]);
            let stage = |i| run.stages.get(i).map_or("–".into(), |s: &f64| format!("{s:.2}"));
            cells.extend((0..STAGES.len()).map(stage));
            let whole = run.stages.len() == STAGES.len();
            let all = format!("{}{:.2}", if whole { "" } else { "> " }, run.seconds);
            cells.extend([all, format!("{:.2}", cpu[0]), format!("{:.2}", cpu[1])]);
            row(&cells);
        }
    }
}

/// The scripts, chosen once.
fn wallet() -> Vec<String> {
    let file = super::folder().join("wallet.json");
    if let Ok(text) = fs::read_to_string(&file)
        && let Ok(kept) = serde_json::from_str(&text)
    {
        return kept;
    }
    let scripts = scripts_of(node::CHAIN, &SCRIPTS);
    fs::write(file, json!(scripts).to_string()).expect("the target folder can be written");
    scripts
}

type Call = (&'static str, Value);

fn synchronise(address: &str, scripts: &[String], tip: u32, way: Way) -> Run {
    let begun = Instant::now();
    let mut run = Run { stages: Vec::new(), answered: 0, txs: 0, seconds: 0.0 };
    let mut client = Client::connect(address);
    client.patience = PATIENCE;
    let _ = client.call("server.version", json!(["bench", "1.4"]));
    let _ = client.call("blockchain.headers.subscribe", json!([]));
    let headers = (0..=tip).step_by(HEADERS as usize);
    let each = |method: &'static str| {
        scripts.iter().map(|script| (method, json!([script]))).collect::<Vec<Call>>()
    };
    let mut stage = |run: &mut Run, calls: &[Call]| {
        let start = Instant::now();
        let answers = match way {
            Way::Lines => by_lines(&mut client, calls, begun),
            Way::Batches => by_batches(&mut client, calls, begun),
        };
        run.seconds = begun.elapsed().as_secs_f64();
        run.answered += answers.len();
        if answers.len() < calls.len() {
            return None;
        }
        run.stages.push(start.elapsed().as_secs_f64());
        Some(answers)
    };
    let all = || {
        let headers: Vec<Call> =
            headers.map(|h| ("blockchain.block.headers", json!([h, HEADERS]))).collect();
        stage(&mut run, &headers)?;
        stage(&mut run, &each("blockchain.scripthash.subscribe"))?;
        let histories = stage(&mut run, &each("blockchain.scripthash.get_history"))?;
        let txs: BTreeSet<(String, u64)> = histories.iter().flat_map(entries).collect();
        run.txs = txs.len();
        let raw = txs.iter().map(|(txid, _)| ("blockchain.transaction.get", json!([txid])));
        stage(&mut run, &raw.collect::<Vec<_>>())?;
        let proof = |(txid, height): &(String, u64)| {
            ("blockchain.transaction.get_merkle", json!([txid, height]))
        };
        stage(&mut run, &txs.iter().map(proof).collect::<Vec<_>>())
    };
    let _ = all();
    run
}

fn entries(history: &Value) -> Vec<(String, u64)> {
    let list = history.as_array().cloned().unwrap_or_default();
    let entry = |entry: &Value| {
        let txid = entry["tx_hash"].as_str().unwrap_or_default().to_string();
        (txid, entry["height"].as_u64().unwrap_or_default())
    };
    list.iter().map(entry).collect()
}

/// What was answered in time, in the order of asking.
fn by_batches(client: &mut Client, calls: &[Call], begun: Instant) -> Vec<Value> {
    let mut answers = Vec::new();
    for some in calls.chunks(BATCH) {
        if begun.elapsed() > PATIENCE {
            break;
        }
        let replies = client.batch(some).into_iter();
        answers.extend(replies.map(|reply| reply.unwrap_or_else(|error| panic!("{error}"))));
    }
    answers
}

/// The same with up to [`IN_FLIGHT`] lines on their way.
fn by_lines(client: &mut Client, calls: &[Call], begun: Instant) -> Vec<Value> {
    let mut places = HashMap::new();
    let mut answers = vec![Value::Null; calls.len()];
    let (mut asked, mut done) = (0, 0);
    while done < calls.len() {
        while asked < calls.len() && places.len() < IN_FLIGHT {
            let (method, params) = &calls[asked];
            let id = client.ask(method, params.clone());
            places.insert(id.as_u64(), asked);
            asked += 1;
        }
        let mut reply = client.json(PATIENCE);
        assert!(reply["error"].is_null(), "{reply}");
        // notifications have no id
        if let Some(place) = places.remove(&reply["id"].as_u64()) {
            answers[place] = reply["result"].take();
            done += 1;
        }
        if begun.elapsed() > PATIENCE {
            return answers.into_iter().take(done).collect();
        }
    }
    answers
}
