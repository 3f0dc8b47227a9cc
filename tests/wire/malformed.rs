//! Malformed requests: every malformed line has an answer, and the next line still works.

use crate::kit::serve;
use serde_json::{Value, json};

const PING: &str = r#"{"id":"p","method":"server.ping"}"#;

#[test]
fn every_malformed_line_is_answered() {
    let server = serve();
    let mut client = server.client();
    let deep = "[".repeat(100_000);
    let many = format!("[{}]", ["1"; 1001].join(","));
    let lines: [(&[u8], i64); 12] = [
        (b"{", -32700),
        (b"\xff\xfe\x00", -32700),
        (b"GET / HTTP/1.1\r", -32700),
        (br#"{"id":1,"method":"\ud800"}"#, -32700),
        (br#"{"id":1e999999999999999999999,"method":7}"#, -32600),
        (b"[]", -32600),
        (b"7", -32600),
        (b"null", -32600),
        (br#"{"id":1}"#, -32600),
        (br#"{"id":1,"method":"x","params":5}"#, -32601),
        (deep.as_bytes(), -32600),
        (many.as_bytes(), -32600),
    ];
    for (line, code) in lines {
        client.send([line, b"\n", PING.as_bytes(), b"\n"].concat());
        let first = client.value();
        let second = client.value();
        // replies may come in any order
        let (error, pong) = match first["id"] == json!("p") {
            true => (second, first),
            false => (first, second),
        };
        let shown = String::from_utf8_lossy(&line[..line.len().min(50)]).into_owned();
        assert_eq!(error["error"]["code"], json!(code), "{shown}: {error}");
        assert!(error.get("result").is_none() && error["error"]["message"].is_string());
        assert_eq!(pong, json!({"jsonrpc": "2.0", "id": "p", "result": null}), "{shown}");
    }
}

#[test]
fn an_oversize_line_is_refused_and_skipped() {
    let server = serve();
    let mut client = server.client();
    let fits = format!(r#"{{"id":1,"method":"server.ping","x":"{}"}}"#, "y".repeat(999_000));
    assert_eq!(client.ask(&fits)["result"], Value::Null);
    // the refusal is sent before the newline arrives
    client.send("z".repeat(1_000_001));
    assert_eq!(client.value()["error"]["code"], json!(-32600));
    client.send("z".repeat(3_000_000));
    client.send("\n");
    assert_eq!(client.ask(PING)["id"], json!("p"));
}

#[test]
fn a_request_may_end_with_the_stream() {
    let server = serve();
    let mut client = server.client();
    client.send(r#"{"id":5,"method":"server.banner","params":["surplus",{}]}"#);
    client.no_more_requests();
    assert_eq!(client.value()["result"], json!("A banner\nof two lines."));
    assert_eq!(client.line(), None);
}

#[test]
fn pieces_of_a_line_are_put_together() {
    let server = serve();
    let mut client = server.client();
    for byte in PING.as_bytes() {
        client.send([*byte]);
    }
    client.send("\r\n\n \n");
    assert_eq!(client.value()["id"], json!("p"));
    assert!(client.is_quiet());
}

#[test]
fn senseless_values_of_every_kind_for_every_parameter() {
    let server = serve();
    let mut client = server.client();
    client.call("server.version", json!(["test", "1.7"]));
    let hash = "00".repeat(32);
    let good: [(&str, Value); 14] = [
        ("blockchain.block.header", json!([1, 2])),
        ("blockchain.block.headers", json!([1, 2, 8])),
        ("blockchain.estimatefee", json!([1, "ECONOMICAL"])),
        ("blockchain.scriptpubkey.get_history", json!(["51"])),
        ("blockchain.scriptpubkey.subscribe", json!(["51"])),
        ("blockchain.outpoint.subscribe", json!([hash, 1, ""])),
        ("blockchain.outpoint.unsubscribe", json!([hash, 1])),
        ("blockchain.transaction.get", json!([hash, true])),
        ("blockchain.transaction.get_merkle", json!([hash, 1])),
        ("blockchain.transaction.id_from_pos", json!([1, 1, true])),
        ("blockchain.transaction.broadcast", json!(["00"])),
        ("blockchain.transaction.broadcast_package", json!([["00", "00"], true])),
        ("blockchain.transaction.testmempoolaccept", json!([["00"]])),
        ("server.ping", json!([1, "0"])),
    ];
    let huge: Value = serde_json::from_str("1180591620717411303424").unwrap();
    let bad = [json!(-1), json!(1.5), json!("xyz"), json!({"a": []}), json!([[]]), huge];
    for (method, params) in good {
        for at in 0..params.as_array().unwrap().len() {
            for value in &bad {
                let mut given = params.clone();
                given[at] = value.clone();
                let reply = client.call(method, given.clone());
                // a huge count or fee target means "as many as there are", and no headers start
                // above the tip
                let headers = "blockchain.block.headers";
                let huge_is_fine = [(headers, 0), (headers, 1), ("blockchain.estimatefee", 0)];
                if *value == bad[5] && huge_is_fine.contains(&(method, at)) {
                    assert!(reply.get("result").is_some(), "{method} {given}: {reply}");
                    continue;
                }
                assert_eq!(reply["error"]["code"], json!(1), "{method} {given}: {reply}");
                let text = reply["error"]["message"].as_str().unwrap();
                assert!(text.len() > 10 && text.len() < 300, "{text}");
            }
        }
    }
}
