//! The limits for one client, and that other clients do not suffer from it.

use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hekte::server::net::settings::Settings;
use serde_json::{Value, json};

use crate::fake::{EXAMPLE, LARGE, SLOW, TOO_LARGE, TOO_LONG};
use crate::kit::{logged, serve, serve_with};

fn history(id: usize, script: &str) -> String {
    let method = "blockchain.scripthash.get_history";
    json!({"id": id, "method": method, "params": [script]}).to_string()
}

#[test]
fn a_slow_question_does_not_hold_up_another_client() {
    let server = serve();
    let (mut slow, mut quick) = (server.client(), server.client());
    for id in 0..100 {
        slow.send_line(&history(id, SLOW));
    }
    let batch: Vec<String> = (0..100).map(|id| history(id, SLOW)).collect();
    slow.send_line(&format!("[{}]", batch.join(",")));
    std::thread::sleep(Duration::from_millis(100));
    for _ in 0..20 {
        let reply = quick.ask(&history(1, EXAMPLE));
        assert_eq!(reply["result"].as_array().map(Vec::len), Some(6));
    }
    server.index.open_gate();
    // two lines of a client run at once, so the batch may come before some of the single replies
    let (batches, single): (Vec<Value>, Vec<Value>) =
        (0..101).map(|_| slow.value()).partition(Value::is_array);
    let mut ids: Vec<u64> = single.iter().map(|reply| reply["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..100));
    assert_eq!(batches[0].as_array().map(Vec::len), Some(100));
}

#[test]
fn the_port_is_told_in_the_log() {
    let server = serve();
    let line = logged(&["serving", &server.address.to_string()]);
    assert_eq!(line, format!("INFO serving Electrum RPC on {}", server.address));
}

#[test]
fn large_pings_in_a_batch_cost_no_more_than_one_reply() {
    let server = serve();
    let mut client = server.client();
    client.call("server.version", json!(["test", "1.7"]));
    let ping = json!({"id": 1, "method": "server.ping", "params": [1_000_000]}).to_string();
    let reply = client.ask(&format!("[{}]", vec![ping; 1000].join(",")));
    let replies = reply.as_array().unwrap();
    let good = replies.iter().filter(|one| one["result"]["data"].is_string()).count();
    assert_eq!((replies.len(), good), (1000, 33));
}

#[test]
fn what_needs_no_disk_is_answered_beside_slow_questions() {
    let server = serve();
    let mut client = server.client();
    for id in 0..5 {
        client.send_line(&history(id, SLOW));
    }
    assert_eq!(client.ask(r#"{"id":"p","method":"server.ping"}"#)["id"], json!("p"));
}

#[test]
fn batch_replies_keep_the_order_of_the_requests() {
    let server = serve();
    let batch: Vec<String> = (0..50)
        .map(|id| match id % 3 {
            0 => history(id, EXAMPLE),
            1 => json!({"id": id, "method": "server.ping"}).to_string(),
            _ => json!({"id": id, "method": "no.such"}).to_string(),
        })
        .collect();
    let reply = server.client().ask(&format!("[{}]", batch.join(",")));
    let ids = reply.as_array().unwrap().iter().map(|one| one["id"].as_u64().unwrap());
    assert!(ids.eq(0..50));
}

#[test]
fn a_history_too_long_is_an_error_and_the_client_stays() {
    let server = serve();
    let mut client = server.client();
    for script in [TOO_LONG, TOO_LARGE] {
        assert_eq!(client.ask(&history(1, script))["error"]["code"], json!(10001));
    }
    let method = "blockchain.scripthash.subscribe";
    assert_eq!(client.call(method, json!([TOO_LONG]))["error"]["code"], json!(10001));
    // large but allowed
    let reply = client.ask(&history(2, LARGE));
    assert_eq!(reply["result"].as_array().map(Vec::len), Some(150_000));
    assert_eq!(server.shared.watched(), 0);
}

#[test]
fn a_batch_is_no_longer_than_a_reply_may_be() {
    let server = serve();
    let batch: Vec<String> = (0..6).map(|id| history(id, LARGE)).collect();
    let reply = server.client().ask(&format!("[{}]", batch.join(",")));
    let good = |one: &&Value| one["result"].is_array();
    let replies = reply.as_array().unwrap();
    assert_eq!(replies.len(), 6);
    assert_eq!(replies.iter().filter(good).count(), 2);
    assert_eq!(replies[5]["error"]["code"], json!(-32600));
}

#[test]
fn a_reader_that_does_not_read_is_dropped() {
    let write_timeout = Duration::from_millis(300);
    let server = serve_with(Settings { write_timeout, ..Settings::default() }, |_| (), true);
    let mut client = server.client();
    let start = Instant::now();
    client.send_line(&history(1, LARGE));
    client.send_line(&history(2, LARGE));
    std::thread::sleep(Duration::from_millis(1500));
    // the rest of the reply is never sent
    let got = client.rest().len();
    assert!(got < 15_000_000, "{got} bytes after {:?}", start.elapsed());
    logged(&["INFO", &client.name(), "reads its replies too slowly"]);
    assert_eq!(server.client().ask(&history(1, EXAMPLE))["id"], json!(1));
}

#[test]
fn large_replies_that_find_no_room_become_errors() {
    let settings = Settings { max_queued_bytes_per_client: 20 << 20, ..Settings::default() };
    let server = serve_with(settings, |_| (), true);
    let mut client = server.client();
    for id in 0..5 {
        client.send_line(&history(id, LARGE));
    }
    // long enough for all five on a busy machine; only replies that are being computed can lack
    // memory
    std::thread::sleep(Duration::from_secs(8));
    let replies: Vec<Value> = (0..5).map(|_| client.value()).collect();
    let busy = replies.iter().filter(|reply| reply["error"]["code"] == json!(-102)).count();
    assert_eq!(busy, 4);
}

#[test]
fn clients_over_the_cap_are_closed() {
    let server = serve_with(Settings { max_clients: 2, ..Settings::default() }, |_| (), true);
    let ping = r#"{"id":1,"method":"server.ping"}"#;
    let (mut first, mut second) = (server.client(), server.client());
    first.ask(ping);
    second.ask(ping);
    let mut third = server.client();
    assert_eq!(third.stream.read(&mut [0; 1]).unwrap_or(0), 0);
    logged(&["WARN", &third.name(), "2 are connected already"]);
    drop(first);
    std::thread::sleep(Duration::from_millis(200));
    server.client().ask(ping);
    second.ask(ping);
}

#[test]
fn an_idle_client_is_let_go() {
    let idle_timeout = Duration::from_millis(300);
    let server = serve_with(Settings { idle_timeout, ..Settings::default() }, |_| (), true);
    let mut client = server.client();
    client.ask(r#"{"id":1,"method":"server.ping"}"#);
    assert_eq!(client.line(), None);
}

#[test]
fn tls_on_the_plain_port_is_closed_at_once() {
    let server = serve();
    let mut client = server.client();
    client.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
    assert_eq!(client.line(), None);
    logged(&["WARN", &client.name(), "speaks TLS", "turn off SSL"]);
}

#[test]
fn subscriptions_over_the_cap_are_refused_and_the_others_stay() {
    let change = |config: &mut hekte::session::config::SessionConfig| {
        (config.max_subscriptions, config.max_outpoints, config.max_watched) = (2, 1, 3);
    };
    let server = serve_with(Settings::default(), change, true);
    let mut client = server.client();
    let hash = |n: usize| format!("{n:064x}");
    let subscribe = "blockchain.scripthash.subscribe";
    assert!(client.call(subscribe, json!([hash(1)])).get("result").is_some());
    assert!(client.call(subscribe, json!([EXAMPLE])).get("result").is_some());
    assert_eq!(client.call(subscribe, json!([hash(3)]))["error"]["code"], json!(4));
    // a repeated subscription does not count
    assert!(client.call(subscribe, json!([EXAMPLE]))["result"].is_string());
    let mut other = server.client();
    assert!(other.call(subscribe, json!([hash(1)])).get("result").is_some());
    assert_eq!(other.call(subscribe, json!([hash(2)]))["error"]["code"], json!(4));
    drop(client);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(server.shared.watched(), 1);
    assert!(other.call(subscribe, json!([hash(2)])).get("result").is_some());
    let unsubscribe = "blockchain.scripthash.unsubscribe";
    assert_eq!(other.call(unsubscribe, json!([hash(2)]))["result"], json!(true));
    assert_eq!(other.call(unsubscribe, json!([hash(2)]))["result"], json!(false));
    assert_eq!(server.shared.watched(), 1);
}

#[test]
fn stopping_answers_what_was_asked_and_waits_no_longer_than_it_may() {
    let mut server = serve();
    let mut client = server.client();
    client.send_line(&history(1, SLOW));
    std::thread::sleep(Duration::from_millis(200));
    server.index.open_gate();
    server.stop();
    assert_eq!(client.value()["id"], json!(1));
    assert_eq!(client.line(), None);

    let settings = Settings { shutdown_wait: Duration::from_millis(300), ..Settings::default() };
    let mut server = serve_with(settings, |_| (), true);
    server.client().send_line(&history(1, SLOW));
    let mut client = server.client();
    client.send_line(&history(1, SLOW));
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(3));
    server.index.busy.store(false, Ordering::SeqCst);
}

#[test]
fn long_requests_of_many_clients_take_bounded_memory() {
    // room for two lines of a megabyte, each counted twice for the parsed request
    let settings = Settings { max_request_bytes: (4 << 20) + (100 << 10), ..Settings::default() };
    let server = serve_with(settings, |_| (), true);
    let (beginning, end) = (vec![b' '; 900_000], br#"{"id":1,"method":"server.ping"}"#);
    let (mut first, mut second) = (server.client(), server.client());
    for client in [&mut first, &mut second] {
        client.send(&beginning);
        // each is read to its end before the next one begins
        std::thread::sleep(Duration::from_millis(500));
    }
    let mut third = server.client();
    third.send(&beginning);
    assert_eq!(third.line(), None);
    logged(&["INFO", &third.name(), "no memory for its long request"]);
    assert_eq!(server.client().ask(&history(1, EXAMPLE))["id"], json!(1), "short ones find room");
    for client in [&mut second, &mut first] {
        client.send(end);
        client.send("\n");
        assert_eq!(client.value()["id"], json!(1));
    }
}
