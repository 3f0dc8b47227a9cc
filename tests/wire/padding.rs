//! From 1.7 on the length of the bytes sent reveals little about their content.

use std::sync::atomic::Ordering;

use hekte::live::tip::TipChange;
use hekte::live::touched::Touched;
use hekte::query::answers::Answers;
use serde_json::{Value, json};

use crate::fake::{EXAMPLE, LARGE, bytes};
use crate::kit::{Client, serve};

/// The scriptPubKey of the protocol's example.
const SCRIPT: &str = "00149f9aa3795e57c535d2f7b160ff023804c60fca6e";

fn speaks(client: &mut Client, version: &str) {
    let hello = json!({"id": 0, "method": "server.version", "params": ["test", version]});
    client.send_line(&hello.to_string());
}

#[test]
fn replies_and_notifications_of_1_7_are_of_few_lengths() {
    let server = serve();
    let mut client = server.client();
    speaks(&mut client, "1.7");
    let mut length = |ask: Option<Value>| {
        ask.into_iter().for_each(|ask| client.send_line(&ask.to_string()));
        let line = client.line().expect("a line");
        let value: Value = serde_json::from_str(&line).expect("JSON");
        assert!(value.get("error").is_none(), "{value}");
        line.len() + 1
    };
    let ask =
        |method: &str, params: Value| Some(json!({"id": 1, "method": method, "params": params}));
    assert_eq!(length(None), 1024, "of the greeting");
    assert_eq!(length(ask("server.ping", json!([]))), 1024);
    assert_eq!(length(ask("blockchain.headers.subscribe", json!([]))), 1024);
    let history = "blockchain.scriptpubkey.get_history";
    assert_eq!(length(ask(history, json!([SCRIPT]))), 1024);
    assert_eq!(length(ask(history, json!(["51"]))), 1024);
    assert_eq!(length(ask("server.ping", json!([3000]))), 4096);
    assert_eq!(length(ask("server.ping", json!([100_000]))), 131_072);
    // the notification of a changed status is as long as that of a new tip
    assert_eq!(length(ask("blockchain.scriptpubkey.subscribe", json!([SCRIPT]))), 1024);
    server.index.mempool_gone.store(true, Ordering::SeqCst);
    let script: hekte::ids::ScriptHash = EXAMPLE.parse().expect("a hash");
    let touched = Touched::from_iter([script.prefix()]);
    server.tips.announce(TipChange { tip: server.index.tip(), touched });
    assert_eq!(length(None), 1024);
}

#[test]
fn a_block_that_concerns_nobody_is_heard_like_any_other() {
    let server = serve();
    server.index.tip.store(5, Ordering::SeqCst);
    let mut clients = ["1.7", "1.7", "1.6"].map(|version| {
        let mut client = server.client();
        speaks(&mut client, version);
        client.line().expect("the greeting");
        client.call("blockchain.headers.subscribe", json!([]));
        client
    });
    clients[0].call("blockchain.scriptpubkey.subscribe", json!([SCRIPT]));
    server.index.mempool_gone.store(true, Ordering::SeqCst);
    server.index.tip.store(6, Ordering::SeqCst);
    let change = || TipChange { tip: server.index.tip(), touched: Touched::Any };
    server.tips.announce(change());
    let [concerned, other, older] = &mut clients;
    let methods = |client: &mut Client, count: usize| -> Vec<String> {
        let notes = (0..count).map(|_| client.value()["method"].as_str().unwrap().to_owned());
        notes.collect()
    };
    let tip = "blockchain.headers.subscribe";
    let all = [tip, "blockchain.scriptpubkey.subscribe", "server.ping"];
    assert_eq!(methods(concerned, 3), all);
    assert_eq!(methods(other, 2), [tip, "server.ping"]);
    assert_eq!(methods(older, 1), [tip]);
    // changes of the mempool cause no padding pings
    server.tips.announce(change());
    assert!(clients.iter_mut().all(Client::is_quiet));
}

#[test]
fn what_is_ready_goes_out_together() {
    let server = serve();
    let mut client = server.client();
    speaks(&mut client, "1.7");
    client.line().expect("the greeting");
    let ping = json!({"id": 7, "method": "server.ping", "params": [100]}).to_string();
    client.send(format!("{ping}\n").repeat(40));
    let lines: Vec<String> = (0..40).map(|_| client.line().expect("a reply")).collect();
    for line in &lines {
        let reply: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(reply["result"]["data"], "0".repeat(100).as_str());
    }
    // however the lines were grouped, their sum is padded
    let sum: usize = lines.iter().map(|line| line.len() + 1).sum();
    assert!(sum.is_multiple_of(1024) && sum >= 40 * 100, "{sum}");
}

#[test]
fn older_clients_get_no_padding() {
    let server = serve();
    for version in ["1.4", "1.4.2", "1.6"] {
        let mut client = server.client();
        speaks(&mut client, version);
        let line = client.line().expect("the greeting");
        assert!(line.ends_with(&format!("\"{version}\"]}}")), "{line}");
        let history = "blockchain.scripthash.get_history";
        client.send_line(&json!({"id": 1, "method": history, "params": [LARGE]}).to_string());
        let line = client.line().expect("a long one");
        assert!(line.ends_with("\"}]}") && line.len() > 10_000_000);
    }
    assert_eq!(hekte::ids::ScriptHash::of(&bytes(SCRIPT)).to_string(), EXAMPLE);
}
