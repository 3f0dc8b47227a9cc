//! Notifications: which client gets which ones after a change of the tip.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hekte::ids::ScriptHash;
use hekte::live::tip::TipChange;
use hekte::live::touched::Touched;
use hekte::query::answers::Answers;
use hekte::server::net::settings::Settings;
use serde_json::{Value, json};

use crate::fake::{EXAMPLE, SLOW, bytes};
use crate::kit::{Client, Serving, serve, serve_with};

const EXAMPLE_STATUS: &str = "78e96c6562cafa71c115503b9411fdfdc595a45031e2ab76ff75162fe1b0590d";
const X80B1: &str = "80b19848aed792565ab7c5a79b7c2a00fbf985741579396ebe0ab6098e607311";

fn announce(server: &Serving, touched: Option<&[&str]>) {
    let prefix = |text: &&str| text.parse::<ScriptHash>().unwrap().prefix();
    let touched =
        touched.map_or(Touched::Any, |scripts| Touched::from_iter(scripts.iter().map(prefix)));
    server.tips.announce(TipChange { tip: server.index.tip(), touched });
}

fn subscribe(client: &mut Client) -> Value {
    client.call("blockchain.scripthash.subscribe", json!([EXAMPLE]))["result"].clone()
}

#[test]
fn a_new_tip_is_told_once_to_those_who_asked() {
    let server = serve();
    server.index.tip.store(5, Ordering::SeqCst);
    let (mut client, mut other) = (server.client(), server.client());
    other.call("server.ping", json!([]));
    let told = client.call("blockchain.headers.subscribe", json!([]));
    assert_eq!(told["result"]["height"], json!(5));
    server.index.tip.store(6, Ordering::SeqCst);
    announce(&server, Some(&[]));
    announce(&server, Some(&[]));
    let notice = client.value();
    assert_eq!(notice["method"], json!("blockchain.headers.subscribe"));
    assert_eq!(notice["params"][0]["height"], json!(6));
    assert!(notice.get("id").is_none());
    assert!(client.is_quiet() && other.is_quiet());
    // a reorganisation to a lower tip is notified, too
    server.index.tip.store(4, Ordering::SeqCst);
    announce(&server, None);
    assert_eq!(client.value()["params"][0]["height"], json!(4));
}

#[test]
fn an_unsubscription_does_not_overtake_its_subscription() {
    let server = serve();
    let mut client = server.client();
    for (id, name) in [(1, "subscribe"), (2, "unsubscribe"), (3, "subscribe"), (4, "unsubscribe")] {
        let method = format!("blockchain.scripthash.{name}");
        client.send_line(&json!({"id": id, "method": method, "params": [SLOW]}).to_string());
    }
    assert!(client.is_quiet(), "the first waits at the gate, and all others behind it");
    server.index.open_gate();
    for (id, result) in [(1, Value::Null), (2, json!(true)), (3, Value::Null), (4, json!(true))] {
        let reply = client.value();
        assert_eq!((&reply["id"], &reply["result"]), (&json!(id), &result), "{reply}");
    }
}

#[test]
fn a_changed_status_is_told_and_an_unchanged_one_is_not() {
    let server = serve();
    let mut client = server.client();
    assert_eq!(subscribe(&mut client), json!(EXAMPLE_STATUS));
    announce(&server, Some(&[EXAMPLE]));
    assert!(client.is_quiet());
    server.index.mempool_gone.store(true, Ordering::SeqCst);
    // the script is not listed as touched
    announce(&server, Some(&[crate::fake::SLOW]));
    assert!(client.is_quiet());
    announce(&server, Some(&[EXAMPLE]));
    let notice = client.value();
    assert_eq!(notice["method"], json!("blockchain.scripthash.subscribe"));
    assert_eq!(notice["params"][0], json!(EXAMPLE));
    let status = notice["params"][1].as_str().unwrap().to_owned();
    assert_eq!(status.len(), 64);
    // without a list of touched scripts, any script may have changed
    server.index.mempool_gone.store(false, Ordering::SeqCst);
    announce(&server, Some(&["00"].map(|_| crate::fake::SLOW)));
    assert!(client.is_quiet());
    announce(&server, None);
    assert_eq!(client.value()["params"], json!([EXAMPLE, EXAMPLE_STATUS]));
    client.call("blockchain.scripthash.unsubscribe", json!([EXAMPLE]));
    server.index.mempool_gone.store(true, Ordering::SeqCst);
    announce(&server, None);
    assert!(client.is_quiet());
}

#[test]
fn a_history_grown_too_long_never_looks_unused() {
    let server = serve();
    let mut client = server.client();
    subscribe(&mut client);
    server.index.all_too_long.store(true, Ordering::SeqCst);
    announce(&server, Some(&[EXAMPLE]));
    let notice = client.value();
    let status = notice["params"][1].as_str().expect("a status that is not null");
    assert!(status.len() == 64 && status != EXAMPLE_STATUS);
    announce(&server, Some(&[EXAMPLE]));
    assert!(client.is_quiet());
    let reply = client.call("blockchain.scripthash.get_history", json!([EXAMPLE]));
    assert_eq!(reply["error"]["code"], json!(10001));
}

#[test]
fn a_look_that_failed_is_repeated() {
    let retry_pause = Duration::from_millis(300);
    let server = serve_with(Settings { retry_pause, ..Settings::default() }, |_| (), true);
    let mut client = server.client();
    subscribe(&mut client);
    server.index.mempool_gone.store(true, Ordering::SeqCst);
    server.index.busy.store(true, Ordering::SeqCst);
    announce(&server, Some(&[EXAMPLE]));
    assert!(client.is_quiet());
    server.index.busy.store(false, Ordering::SeqCst);
    // sent without a further change
    assert_eq!(client.value()["params"][0], json!(EXAMPLE));
}

#[test]
fn scripts_by_pubkey_are_told_by_their_hash() {
    let server = serve();
    let mut client = server.client();
    client.call("server.version", json!(["test", ["1.4", "1.7"]]));
    // the scriptPubKey of the protocol's example
    let script = "00149f9aa3795e57c535d2f7b160ff023804c60fca6e";
    assert_eq!(ScriptHash::of(&bytes(script)).to_string(), EXAMPLE);
    let reply = client.call("blockchain.scriptpubkey.subscribe", json!([script]));
    assert_eq!(reply["result"], json!(EXAMPLE_STATUS));
    server.index.mempool_gone.store(true, Ordering::SeqCst);
    announce(&server, None);
    let notice = client.value();
    assert_eq!(notice["method"], json!("blockchain.scriptpubkey.subscribe"));
    assert_eq!(notice["params"][0], json!(EXAMPLE));
    let reply = client.call("blockchain.scriptpubkey.unsubscribe", json!([script]));
    assert_eq!(reply["result"], json!(true));
}

#[test]
fn outpoints_are_told_flat() {
    let server = serve();
    let mut client = server.client();
    client.call("server.version", json!(["test", "1.7"]));
    let method = "blockchain.outpoint.subscribe";
    let reply = client.call(method, json!([X80B1, 0, ""]));
    assert_eq!(reply["result"]["spender_height"], json!(-1));
    server.index.mempool_gone.store(true, Ordering::SeqCst);
    announce(&server, Some(&[EXAMPLE]));
    assert!(client.is_quiet());
    // the outpoint's transaction was touched
    announce(&server, Some(&[X80B1]));
    let notice = json!({"jsonrpc": "2.0", "method": method, "params": [X80B1, 0, {}]});
    assert_eq!(client.value(), notice);
    assert_eq!(client.call("blockchain.outpoint.unsubscribe", json!([X80B1, 0]))["result"], true);
    assert_eq!(server.shared.watched(), 0);
}

#[test]
fn no_notification_overtakes_its_reply() {
    let server = serve();
    for round in 0..20 {
        let gone = round % 2 == 0;
        let mut client = server.client();
        let ask =
            json!({"id": 1, "method": "blockchain.scripthash.subscribe", "params": [EXAMPLE]});
        client.send_line(&ask.to_string());
        server.index.mempool_gone.store(gone, Ordering::SeqCst);
        announce(&server, Some(&[EXAMPLE]));
        let reply = client.value();
        assert_eq!(reply["id"], json!(1), "{reply}");
        // whichever reply came first, the last status must be the newest
        let last = match client.is_quiet() {
            true => reply["result"].clone(),
            false => client.value()["params"][1].clone(),
        };
        assert_eq!(last == json!(EXAMPLE_STATUS), !gone, "round {round}");
    }
}
