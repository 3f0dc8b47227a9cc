//! The requests of a wallet, from connecting to knowing all of its transactions with proofs.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use hekte_testkit::client::Client;
use serde_json::{Value, json};

/// Number of requests in flight, each on a line of its own, as in Electrum.
const IN_FLIGHT: usize = 100;
/// Number of requests in one batch; the next batch is sent after the answer.
const BATCH: usize = 100;
/// How long a wallet may take.
const PATIENCE: Duration = Duration::from_secs(240);
/// Number of headers in one answer.
const HEADERS: u32 = 2016;

/// How a wallet sends its requests.
#[derive(Clone, Copy)]
pub enum Way {
    /// Each on a line, with up to [`IN_FLIGHT`] of them in flight, as Electrum does.
    Lines,
    /// In batches of up to [`BATCH`], one after the other, as wallets made with BDK do.
    Batches,
}

impl Way {
    pub const ALL: [Way; 2] = [Way::Lines, Way::Batches];

    /// Its name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Way::Lines => "lines",
            Way::Batches => "batches",
        }
    }
}

/// One request. Requests are made in this order, as far as the answers needed for them have come.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    Headers(u32),
    Status(String),
    History(String),
    Transaction(String),
    Proof(String, u64),
}

/// The kinds of requests, in order.
pub const KINDS: [&str; 5] =
    ["headers", "subscribe", "get_history", "transaction.get", "get_merkle"];

impl Want {
    /// The request's index in [`KINDS`].
    pub fn kind(&self) -> usize {
        match self {
            Want::Headers(_) => 0,
            Want::Status(_) => 1,
            Want::History(_) => 2,
            Want::Transaction(_) => 3,
            Want::Proof(..) => 4,
        }
    }

    fn call(&self) -> (&'static str, Value) {
        match self {
            Want::Headers(from) => ("blockchain.block.headers", json!([from, HEADERS])),
            Want::Status(script) => ("blockchain.scripthash.subscribe", json!([script])),
            Want::History(script) => ("blockchain.scripthash.get_history", json!([script])),
            Want::Transaction(txid) => ("blockchain.transaction.get", json!([txid])),
            Want::Proof(txid, height) => {
                ("blockchain.transaction.get_merkle", json!([txid, height]))
            }
        }
    }
}

/// The requests and their answers.
pub struct Run {
    pub answers: BTreeMap<Want, Value>,
    /// For each kind, the seconds from connecting to its last answer.
    pub until: [f64; KINDS.len()],
    /// The seconds in total.
    pub seconds: f64,
    /// Whether all requests were answered in time.
    pub whole: bool,
}

/// Connects and asks until there is nothing more to ask.
pub fn synchronise(address: &str, scripts: &[String], way: Way) -> Run {
    let begun = Instant::now();
    let mut wallet = Wallet {
        client: Client::connect(address),
        begun,
        queues: Default::default(),
        run: Run {
            answers: BTreeMap::new(),
            until: [0.0; KINDS.len()],
            seconds: 0.0,
            whole: false,
        },
    };
    wallet.client.patience = PATIENCE;
    let version = wallet.client.call("server.version", json!(["bench", "1.4"]));
    assert!(version.is_ok(), "{version:?}");
    let tip = wallet.client.call("blockchain.headers.subscribe", json!([]));
    let tip = tip.ok().and_then(|tip| tip["height"].as_u64()).expect("a tip") as u32;
    wallet.queues[0].extend((0..=tip).step_by(HEADERS as usize).map(Want::Headers));
    wallet.queues[1].extend(scripts.iter().cloned().map(Want::Status));
    wallet.run.whole = match way {
        Way::Lines => wallet.by_lines(),
        Way::Batches => wallet.by_batches(),
    };
    wallet.run.seconds = begun.elapsed().as_secs_f64();
    wallet.run
}

struct Wallet {
    client: Client,
    begun: Instant,
    /// The requests still to be sent, by kind.
    queues: [VecDeque<Want>; KINDS.len()],
    run: Run,
}

impl Wallet {
    fn next(&mut self) -> Option<Want> {
        self.queues.iter_mut().find_map(VecDeque::pop_front)
    }

    /// The next requests, up to `count`, all of one kind.
    fn some(&mut self, count: usize) -> Vec<Want> {
        let queue = self.queues.iter_mut().find(|queue| !queue.is_empty());
        queue.map_or(Vec::new(), |queue| queue.drain(..count.min(queue.len())).collect())
    }

    /// Takes an answer, and queues the requests that follow from it.
    fn take(&mut self, want: Want, answer: Value) {
        match &want {
            // the script has no history
            Want::Status(_) if answer.is_null() => {}
            Want::Status(script) => self.queue(Want::History(script.clone())),
            Want::History(_) => {
                for (txid, height) in entries(&answer) {
                    self.queue(Want::Transaction(txid.clone()));
                    self.queue(Want::Proof(txid, height));
                }
            }
            _ => {}
        }
        self.run.until[want.kind()] = self.begun.elapsed().as_secs_f64();
        self.run.answers.insert(want, answer);
    }

    /// Queues a request unless it was queued before: two scripts may share a transaction.
    fn queue(&mut self, want: Want) {
        if !self.run.answers.contains_key(&want) {
            self.run.answers.insert(want.clone(), Value::Null);
            self.queues[want.kind()].push_back(want);
        }
    }

    fn by_lines(&mut self) -> bool {
        let mut asked: HashMap<u64, Want> = HashMap::new();
        loop {
            while asked.len() < IN_FLIGHT
                && let Some(want) = self.next()
            {
                let (method, params) = want.call();
                let id = self.client.ask(method, params);
                asked.insert(id.as_u64().expect("a number"), want);
            }
            if asked.is_empty() {
                return true;
            }
            let mut reply = self.client.json(PATIENCE);
            assert!(reply["error"].is_null(), "{reply}");
            let want = reply["id"].as_u64().and_then(|id| asked.remove(&id));
            let want = want.unwrap_or_else(|| panic!("unasked: {reply}"));
            self.take(want, reply["result"].take());
            if self.begun.elapsed() > PATIENCE {
                return false;
            }
        }
    }

    fn by_batches(&mut self) -> bool {
        loop {
            let some = self.some(BATCH);
            if some.is_empty() {
                return true;
            }
            let calls: Vec<_> = some.iter().map(Want::call).collect();
            for (want, answer) in some.into_iter().zip(self.client.batch(&calls)) {
                self.take(want, answer.unwrap_or_else(|error| panic!("{error}")));
            }
            if self.begun.elapsed() > PATIENCE {
                return false;
            }
        }
    }
}

/// The txid and height of each entry of a history.
pub fn entries(history: &Value) -> Vec<(String, u64)> {
    let list = history.as_array().cloned().unwrap_or_default();
    let entry = |entry: &Value| {
        let txid = entry["tx_hash"].as_str().expect("a txid").to_string();
        (txid, entry["height"].as_u64().expect("a height"))
    };
    list.iter().map(entry).collect()
}
