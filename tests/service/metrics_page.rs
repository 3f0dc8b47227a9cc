//! The port for dashboards: what it tells, and what it puts up with.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use hekte_testkit::hekte::Hekte;
use serde_json::json;

use crate::http::{address, get, raw};
use crate::{made_chain, offline, until};

#[test]
fn dashboards_find_what_they_look_for() {
    let chain = made_chain(120);
    let mut command = offline(&chain);
    command.args(["--metrics", "127.0.0.1:0"]);
    let mut hekte = Hekte::spawn_command(command, chain.path());
    let at = address(&mut hekte);
    until("ready", || get(&at, "/ready").status == 200);
    let mut client = hekte.client();
    let script = "00".repeat(32);
    client.call("blockchain.scripthash.subscribe", json!([script])).unwrap();
    client.call("blockchain.transaction.get", json!([script])).unwrap_err();

    let page = get(&at, "/");
    assert_eq!(page.status, 200);
    assert!(page.head.contains("Content-Type: text/plain; version=0.0.4"), "{}", page.head);
    // the line that node dashboards look for, to the letter
    let line = "\nelectrs_index_height{type=\"tip\"} 120\n";
    assert!(page.body.contains(line), "{}", page.body);
    let page = get(&at, "/metrics");
    let asked = |method: &str| {
        let name = format!("hekte_query_duration_seconds_count{{method=\"{method}\"}}");
        page.sample(&name)
    };
    assert_eq!(asked("blockchain.scripthash.subscribe"), Some(1.0), "{}", page.body);
    assert_eq!(asked("blockchain.transaction.get"), Some(1.0));
    assert_eq!(asked("server.ping"), None, "nobody asked");
    for (name, value) in [
        ("hekte_sync_phase{phase=\"following the tip\"}", 1.0),
        ("hekte_sync_phase{phase=\"merging\"}", 0.0),
        ("hekte_ready", 1.0),
        ("hekte_healthy", 1.0),
        ("hekte_tip_height", 120.0),
        ("hekte_lag_blocks", 0.0),
        ("hekte_index_runs{kind=\"script\"}", 1.0),
        ("hekte_clients", 1.0),
        ("hekte_subscriptions", 1.0),
        ("hekte_query_errors_total", 1.0),
        ("hekte_mempool_transactions", 0.0),
        ("hekte_rpc_failures_total", 0.0),
        (
            "electrs_mempool_txs_count{fee_rate=\"[                   1,                    2)\"}",
            0.0,
        ),
    ] {
        assert_eq!(page.sample(name), Some(value), "{name} in\n{}", page.body);
    }
    for name in ["hekte_index_bytes{file=\"index\"}", "hekte_client_written_bytes_total"] {
        assert!(page.sample(name).unwrap() > 0.0, "{name}");
    }
    drop(client);
    until("the client is gone", || {
        let page = get(&at, "/metrics");
        page.sample("hekte_clients") == Some(0.0) && page.sample("hekte_subscriptions") == Some(0.0)
    });
    assert_eq!(get(&at, "/health").body, "alive\n");
}

#[test]
fn while_it_cannot_answer_it_is_healthy_but_not_ready() {
    let chain = made_chain(3);
    let mut command = offline(&chain);
    // nobody is there to ask, so nothing is indexed
    command.args(["--offline=no", "--rpc-url", "http://127.0.0.1:1", "--metrics", "127.0.0.1:0"]);
    let mut hekte = Hekte::spawn_command(command, chain.path());
    let at = address(&mut hekte);
    hekte.wait_log("waiting for bitcoind");
    let ready = get(&at, "/ready");
    assert_eq!(ready.status, 503);
    assert!(ready.body.starts_with("waiting for bitcoind"), "{}", ready.body);
    assert_eq!(get(&at, "/health").status, 200);
    let page = get(&at, "/metrics");
    assert_eq!(page.sample("electrs_index_height{type=\"tip\"}"), Some(0.0));
    assert_eq!(page.sample("hekte_sync_phase{phase=\"waiting for bitcoind\"}"), Some(1.0));
    assert_eq!(page.sample("hekte_ready"), Some(0.0));
    until("a call failed", || {
        let failed = get(&at, "/metrics").sample("hekte_rpc_failures_total");
        failed.is_some_and(|count| count > 0.0)
    });
}

#[test]
fn rude_clients_get_a_refusal_and_keep_nobody_out() {
    let chain = made_chain(3);
    let mut command = offline(&chain);
    command.args(["--metrics", "127.0.0.1:0"]);
    let mut hekte = Hekte::spawn_command(command, chain.path());
    let at = address(&mut hekte);
    assert_eq!(raw(&at, b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").status, 405);
    assert_eq!(raw(&at, b"{\"id\":0,\"method\":\"server.ping\"}\n\n").status, 400);
    assert_eq!(raw(&at, &[0xff; 600].map(|b: u8| b)).status, 0, "cut off, with no end in sight");
    let head = raw(&at, b"HEAD /metrics HTTP/1.1\r\n\r\n");
    assert!(head.status == 200 && head.body.is_empty(), "{head:?}");
    // a head without an end: refused, and not read on
    let mut endless = TcpStream::connect(&at).unwrap();
    let _ = endless.write_all(&[b'a'; 1 << 16]);
    let mut reply = Vec::new();
    let _ = endless.read_to_end(&mut reply);
    assert!(reply.starts_with(b"HTTP/1.1 431") || reply.is_empty(), "{reply:?}");
    // more silent clients than there is room for: they are put out, whoever asks is answered
    let silent: Vec<_> = (0..10).map(|_| TcpStream::connect(&at).unwrap()).collect();
    assert_eq!(get(&at, "/health").status, 200);
    drop(silent);
    assert!(hekte.is_running());
}

#[test]
fn a_port_that_is_taken_costs_the_metrics_only() {
    let chain = made_chain(3);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = offline(&chain);
    command.arg("--metrics").arg(taken.local_addr().unwrap().to_string());
    let mut hekte = Hekte::spawn_command(command, chain.path());
    hekte.wait_log("cannot serve metrics on");
    hekte.wait_log("serving, height=3");
    assert!(hekte.client().call("server.ping", json!([])).is_ok());
    assert!(hekte.terminate().status.success());
}
