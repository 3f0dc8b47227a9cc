//! A client that watches, and what it knows from replies and notifications alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bitcoin::{OutPoint, ScriptBuf};
use hekte_testkit::client::{Answer, Client};
use hekte_testkit::hekte::Hekte;
use hekte_testkit::model::ScriptHash;
use serde_json::{Value, json};

use crate::truth::Truth;

/// One connection, and what it has been told.
pub struct Subscriber {
    pub client: Client,
    version: &'static str,
    /// By script hash: the script, and how requests of this version name it.
    names: BTreeMap<String, (ScriptHash, String)>,
    told: BTreeMap<String, Value>,
    outpoints: BTreeMap<(String, u64), (OutPoint, Value)>,
    tip: Value,
    /// The number of notifications received.
    pub heard: u32,
}

impl Subscriber {
    /// Connects and subscribes to the tip, to all scripts and, if the version has them, to
    /// outpoints.
    pub fn new(
        mut client: Client,
        version: &'static str,
        scripts: &[ScriptBuf],
        outpoints: &[OutPoint],
    ) -> Subscriber {
        let agreed = client.call("server.version", json!(["e2e", version])).expect("a version");
        assert_eq!(agreed[1], version);
        let tip = client.call("blockchain.headers.subscribe", json!([])).expect("a tip");
        let mut subscriber = Subscriber {
            client,
            version,
            names: BTreeMap::new(),
            told: BTreeMap::new(),
            outpoints: BTreeMap::new(),
            tip,
            heard: 0,
        };
        scripts.iter().for_each(|script| subscriber.watch(script));
        if version == "1.7" {
            outpoints.iter().for_each(|out| subscriber.watch_outpoint(*out));
        }
        subscriber
    }

    /// The full name of a script method in this version.
    fn method(&self, name: &str) -> String {
        match self.version {
            "1.7" => format!("blockchain.scriptpubkey.{name}"),
            _ => format!("blockchain.scripthash.{name}"),
        }
    }

    pub fn watch(&mut self, script: &ScriptBuf) {
        let hash = ScriptHash::of(script);
        let name = if self.version == "1.7" { script.to_hex_string() } else { hash.to_string() };
        let status = self.client.call(&self.method("subscribe"), json!([name]));
        self.told.insert(hash.to_string(), status.expect("a status"));
        self.names.insert(hash.to_string(), (hash, name));
    }

    pub fn watch_outpoint(&mut self, out: OutPoint) {
        let params = json!([out.txid.to_string(), out.vout, ""]);
        let status = self.client.call("blockchain.outpoint.subscribe", params);
        let key = (out.txid.to_string(), u64::from(out.vout));
        self.outpoints.insert(key, (out, status.expect("a status")));
    }

    /// Stops watching a script, which must have been watched.
    pub fn unwatch(&mut self, nth: usize) {
        let Some(hash) = self.names.keys().nth(nth).cloned() else { return };
        let name = self.names[&hash].1.clone();
        let was = self.client.call(&self.method("unsubscribe"), json!([name]));
        // the protocol has the method from 1.4.2 on, but a server may have it earlier
        assert!(was == Ok(json!(true)) || was.is_err() && self.version == "1.4", "{was:?}");
        if was.is_err() {
            return;
        }
        self.names.remove(&hash);
        self.told.remove(&hash);
    }

    /// Takes all notifications that have come, and those that come within `time`.
    pub fn hear(&mut self, time: Duration) {
        while let Some(note) = self.client.notification(time) {
            self.heard += 1;
            let params = &note["params"];
            let first = params[0].as_str().unwrap_or_default().to_string();
            match note["method"].as_str().expect("a method") {
                "blockchain.headers.subscribe" => self.tip = params[0].clone(),
                "server.ping" => assert_eq!(self.version, "1.7"), // padding
                "blockchain.outpoint.subscribe" => {
                    let key = (first, params[1].as_u64().expect("an index"));
                    let (_, told) = self.outpoints.get_mut(&key).expect("it is watched");
                    assert_ne!(*told, params[2], "told without a change: {note}");
                    *told = params[2].clone();
                }
                method => {
                    assert_eq!(method, self.method("subscribe"));
                    // it was on its way when we unsubscribed
                    let Some(told) = self.told.get_mut(&first) else { continue };
                    assert_ne!(*told, params[1], "told without a change: {note}");
                    *told = params[1].clone();
                }
            }
        }
    }

    /// The first thing about which this client's knowledge is wrong.
    pub fn mistake(&self, truth: &Truth) -> Option<String> {
        if self.tip != truth.tip() {
            return Some(format!("tip {} instead of {}", self.tip, truth.tip()));
        }
        let scripts = self.told.iter().map(|(script, told)| {
            let right = truth.status(self.names[script].0);
            (*told != right).then(|| {
                let history = &truth.answers(self.names[script].0)[0];
                format!("{script}: told {told} instead of {right}, {history}")
            })
        });
        let outpoints = self.outpoints.values().map(|(out, told)| {
            let right = truth.outpoint(out);
            (*told != right).then(|| format!("{out}: told {told} instead of {right}"))
        });
        scripts.chain(outpoints).flatten().next().map(|m| format!("{}: {m}", self.version))
    }

    /// The statuses that a new connection is told and that differ from what this one was told.
    pub fn asked_anew(&mut self, hekte: &Hekte) -> Vec<String> {
        let mut client = hekte.client();
        let differs = |(script, told): (&String, &Value)| {
            let now = client.call("blockchain.scripthash.subscribe", json!([script]));
            (now != Ok(told.clone())).then(|| format!("{script}: {now:?}"))
        };
        self.told.iter().filter_map(differs).collect()
    }

    /// Asks about everything that the client watches, and compares the answers with the truth.
    pub fn ask(&mut self, truth: &Truth) {
        let methods =
            ["get_history", "get_mempool", "listunspent", "get_balance"].map(|m| self.method(m));
        let names: Vec<_> = self.names.values().cloned().collect();
        for some in names.chunks(60) {
            let calls: Vec<(&str, Value)> = some
                .iter()
                .flat_map(|(_, name)| methods.iter().map(move |m| (m.as_str(), json!([name]))))
                .collect();
            let client = &mut self.client;
            let answers = patiently(|| client.batch(&calls));
            for ((script, _), answers) in some.iter().zip(answers.as_chunks::<4>().0) {
                let shaped = |at: usize, key: &str| {
                    let answer = answers[at].as_ref().unwrap_or_else(|e| panic!("{script}: {e}"));
                    if self.version == "1.7" { answer[key].clone() } else { answer.clone() }
                };
                let mut coins = shaped(2, "utxos").as_array().expect("a list").clone();
                let fresh = coins.iter().position(|c| c["height"] == 0).unwrap_or(coins.len());
                coins[fresh..].sort_by_key(Value::to_string);
                let balance = answers[3].clone().expect("a balance");
                let asked = [shaped(0, "history"), shaped(1, "history"), coins.into(), balance];
                assert_eq!(asked, truth.answers(*script), "{script} at {}", self.version);
            }
        }
        for (out, _) in self.outpoints.values() {
            let params = json!([out.txid.to_string(), out.vout, ""]);
            let client = &mut self.client;
            let ask = || vec![client.call("blockchain.outpoint.get_status", params.clone())];
            let status = patiently(ask).remove(0);
            assert_eq!(status, Ok(truth.outpoint(out)), "{out}");
        }
    }
}

/// Asks again while hekte looks for blocks that bitcoind overwrote after a kill.
fn patiently(mut ask: impl FnMut() -> Vec<Answer>) -> Vec<Answer> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let answers = ask();
        let looking = |answer: &Answer| answer.as_ref().is_err_and(|e| e["code"] == -32603);
        if !answers.iter().any(looking) || Instant::now() > end {
            return answers;
        }
        std::thread::sleep(Duration::from_millis(300));
    }
}
