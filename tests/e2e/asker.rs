//! Load: clients that ask without end and check each answer for repetitions and its order.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use bitcoin::ScriptBuf;
use hekte_testkit::client::{Answer, Client};
use hekte_testkit::model::ScriptHash;
use serde_json::{Value, json};

/// A thread that asks until it is stopped.
pub struct Asker {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
    thread: JoinHandle<()>,
}

impl Asker {
    pub fn start(mut client: Client, scripts: &[ScriptBuf]) -> Asker {
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let names: Vec<String> =
            scripts.iter().map(|script| ScriptHash::of(script).to_string()).collect();
        let inside = (stop.clone(), asked.clone());
        let thread = spawn(move || {
            while !inside.0.load(Ordering::Relaxed) {
                for names in names.chunks(20) {
                    let calls = names.iter().flat_map(|name| {
                        ["get_history", "listunspent"].map(|method| (method, json!([name])))
                    });
                    let calls: Vec<_> =
                        calls.map(|(m, p)| (format!("blockchain.scripthash.{m}"), p)).collect();
                    let calls: Vec<_> = calls.iter().map(|(m, p)| (&**m, p.clone())).collect();
                    for pair in client.batch(&calls).as_chunks::<2>().0 {
                        judge(pair);
                        inside.1.fetch_add(2, Ordering::Relaxed);
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        });
        Asker { stop, asked, thread }
    }

    /// Stops the thread; returns the number of answers.
    pub fn end(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no answer contradicts itself");
        self.asked.load(Ordering::Relaxed)
    }
}

/// Checks that no transaction and no coin occurs twice, and that confirmed ones come first, in
/// order.
fn judge(answers: &[Answer; 2]) {
    let lists = answers.iter().map(|answer| match answer {
        Ok(list) => list.as_array().expect("a list").clone(),
        // errors that are allowed: a block was just disconnected, or the server is busy
        Err(error) if error["code"] == -32603 || error["code"] == -102 => Vec::new(),
        Err(error) => panic!("{error}"),
    });
    for list in lists {
        let key = |item: &Value| (item["tx_hash"].to_string(), item["tx_pos"].to_string());
        let different: HashSet<_> = list.iter().map(key).collect();
        assert_eq!(different.len(), list.len(), "something twice: {list:?}");
        let height = |item: &Value| match item["height"].as_i64().expect("a height") {
            0 => i64::MAX - 1,
            -1 => i64::MAX,
            height => height,
        };
        assert!(list.is_sorted_by_key(height), "not in order: {list:?}");
    }
}
