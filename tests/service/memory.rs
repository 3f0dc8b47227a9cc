//! Memory while serving: many clients ask for much and read nothing, and the budget holds.

use std::fs;
use std::time::Duration;

use hekte_testkit::chain::{ChainSpec, Shape, generate};
use hekte_testkit::client::{Client, Line};
use hekte_testkit::files::{BlockDir, FileOptions};
use hekte_testkit::hekte::Hekte;
use hekte_testkit::model::Model;
use hekte_testkit::scratch::Scratch;
use serde_json::{Value, json};

use crate::{offline, until};

const CLIENTS: usize = 150;
/// Histories in each client's batch.
const BATCH: usize = 50;

/// The value of a field in /proc/PID/status, in KiB.
fn status(hekte: &Hekte, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{}/status", hekte.id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn the_budget_holds_while_nobody_reads_what_all_have_asked() {
    let scratch = Scratch::new("memory");
    let spec = ChainSpec { blocks: 130, txs_per_block: 500, shape: Shape::Bench, ..<_>::default() };
    let made = generate(&spec);
    BlockDir::create(&scratch.join("regtest/blocks"), FileOptions::default()).add_all(&made.blocks);
    let model = Model::new(made.blocks.iter().map(|made| &made.block));
    let busiest = model.scripthashes().into_iter().max_by_key(|s| model.history(*s).len()).unwrap();
    let entries = model.history(busiest).len();
    assert!(entries > 800, "a busy script is needed, this one has {entries} entries");

    let mut command = offline(&scratch);
    command.args(["--memory", "64MiB"]);
    let mut hekte = Hekte::spawn_command(command, scratch.path());
    hekte.wait_log("serving Electrum RPC on ");
    let asked = [json!(busiest.to_string())];
    let mut client = hekte.client();
    until("it serves", || client.call("blockchain.scripthash.get_balance", json!(asked)).is_ok());

    let history = |id| {
        let method = "blockchain.scripthash.get_history";
        json!({"id": id, "method": method, "params": asked})
    };
    let batch = json!((0..BATCH).map(history).collect::<Vec<_>>());
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| hekte.client()).collect();
    for client in &mut clients {
        assert!(client.send(format!("{batch}\n{batch}\n{}\n", history(BATCH)).as_bytes()));
    }
    // without a bound on memory these replies would take some hundred megabytes
    let mut whole = 0;
    for mut client in clients {
        let replies = (0..3).map(|_| match client.line(Duration::from_secs(60)) {
            Line::Text(line) => serde_json::from_slice::<Value>(&line).unwrap(),
            other => panic!("no reply: {other:?}"),
        });
        for reply in replies {
            let one = reply.get(0).unwrap_or(&reply);
            match one["result"].as_array() {
                Some(list) => {
                    assert_eq!(list.len(), entries, "a history is whole or an error");
                    whole += 1;
                }
                None => assert_eq!(one["error"]["code"], -102, "{one}"),
            }
        }
    }
    assert!(whole > 0, "nobody was answered");
    let (peak, limit) = (status(&hekte, "VmHWM:"), 64 << 10);
    assert!(peak < limit, "{peak} KiB at the peak, of {limit}");
}
