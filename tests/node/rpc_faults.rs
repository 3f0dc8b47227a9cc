//! bitcoind's RPC when things go wrong: closed connections, new cookies, replies that do not fit.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitcoin::BlockHash;
use hekte::config::node::{NodeConfig, RpcAuth, RpcUrl};
use hekte::ids::Height;
use hekte::node::chain::NodeTip;
use hekte::node::error::RpcError;
use hekte::node::rpc::Rpc;
use hekte::node::tip_wait::TipWait;
use serde_json::{Value, json};

/// What the server was sent: the Authorization header and the body.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

/// Serves connections one after the other; `answer` gives the bytes to send, or `None` to close.
fn serve(
    answer: impl Fn(usize, &str, &Value) -> Option<Vec<u8>> + Send + 'static,
) -> (RpcUrl, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Asked::default();
    let log = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            while let Some((auth, body)) = read_request(&mut stream) {
                let count = {
                    let mut log = log.lock().unwrap();
                    log.push((auth.clone(), body.clone()));
                    log.len()
                };
                match answer(count, &auth, &body) {
                    Some(bytes) => stream.get_mut().write_all(&bytes).unwrap(),
                    None => break,
                }
            }
        }
    });
    (RpcUrl { host: "127.0.0.1".into(), port, path: "/".into() }, asked)
}

fn read_request(stream: &mut BufReader<TcpStream>) -> Option<(String, Value)> {
    let (mut auth, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            match name {
                "Authorization" => auth = value.into(),
                "Content-Length" => length = value.parse().unwrap(),
                _ => {}
            }
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((auth, serde_json::from_slice(&body).unwrap()))
}

fn http(status: u16, body: &str) -> Option<Vec<u8>> {
    let length = body.len();
    Some(format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes())
}

fn result(value: Value) -> Option<Vec<u8>> {
    http(200, &json!({"id": 0, "result": value, "error": null}).to_string())
}

fn by_password(url: RpcUrl) -> Rpc {
    let auth = RpcAuth::User { user: "u".into(), password: "p".into() };
    Rpc::new(&NodeConfig { url, auth }).with_timeout(Duration::from_secs(2))
}

fn cookie_file(name: &str, content: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("hekte-cookie-{name}-{}", std::process::id()));
    fs::write(&file, content).unwrap();
    file
}

#[test]
fn an_idle_connection_that_was_closed_is_opened_again() {
    // the connection is dropped after the first answer, and nobody is told
    let (url, asked) = serve(|count, _, _| if count == 2 { None } else { result(json!(count)) });
    let rpc = by_password(url);
    assert_eq!(rpc.call("a", vec![]), Ok(json!(1)));
    assert_eq!(rpc.breaks(), 0);
    assert_eq!(rpc.call("b", vec![json!(5)]), Ok(json!(3)));
    // it may be another bitcoind by now
    assert_eq!(rpc.breaks(), 1);
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0].0, "Basic dTpw");
    assert_eq!(asked[2].1["params"], json!([5]));
}

#[test]
fn a_server_that_only_closes_is_away_after_one_try() {
    let (url, asked) = serve(|_, _, _| None);
    let error = by_password(url).call("a", vec![]).unwrap_err();
    assert!(matches!(&error, RpcError::Away(text) if text.contains("closed")), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn a_new_cookie_is_read_after_a_401() {
    let file = cookie_file("new", "__cookie__:old");
    let known = file.clone();
    let (url, asked) = serve(move |count, auth, _| {
        // bitcoind restarts after the first call
        if count == 2 {
            fs::write(&known, "__cookie__:new\n").unwrap();
        }
        let old = auth == "Basic X19jb29raWVfXzpvbGQ=";
        if old && count > 1 { http(401, "") } else { result(json!(count)) }
    });
    let rpc = Rpc::new(&NodeConfig { url, auth: RpcAuth::Cookie(file.clone()) });
    assert_eq!(rpc.call("a", vec![]), Ok(json!(1)));
    assert_eq!(rpc.call("a", vec![]), Ok(json!(3)));
    assert_eq!(rpc.breaks(), 1);
    assert_eq!(asked.lock().unwrap().len(), 3);
    fs::remove_file(file).unwrap();
}

#[test]
fn a_cookie_that_stays_wrong_is_reported_once() {
    let file = cookie_file("wrong", "__cookie__:x");
    let (url, asked) = serve(|_, _, _| http(401, ""));
    let rpc = Rpc::new(&NodeConfig { url, auth: RpcAuth::Cookie(file.clone()) });
    let error = rpc.call("a", vec![]).unwrap_err();
    assert!(matches!(&error, RpcError::Auth(text) if text.contains("mode 0")), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 1);
    fs::remove_file(&file).unwrap();
    let error = rpc.call("a", vec![]).unwrap_err();
    assert!(matches!(&error, RpcError::Away(text) if text.contains("no cookie file")), "{error}");
}

#[test]
fn a_bitcoind_that_is_not_running_is_away_and_its_address_is_named() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let rpc = by_password(RpcUrl { host: "127.0.0.1".into(), port, path: "/".into() });
    let error = rpc.call("a", vec![]).unwrap_err();
    let named = format!("http://127.0.0.1:{port}");
    assert!(matches!(&error, RpcError::Away(text) if text.contains(&named)), "{error}");
}

#[test]
fn replies_that_do_not_fit_are_errors() {
    let check = |reply: &'static [u8], part: &str| {
        let (url, _) = serve(move |_, _, _| Some(reply.to_vec()));
        let rpc = by_password(url).with_max_reply(1000).with_timeout(Duration::from_millis(300));
        let error = rpc.call("a", vec![]).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    };
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n", "1001 bytes, more than our limit");
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", "more than");
    check(b"HTTP/1.1 200 OK\r\n\r\n", "without Content-Length");
    check(b"SSH-2.0-OpenSSH_9.2\r\n", "a reply beginning with \"SSH");
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "does not fit");
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "another call");
    check(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "status 302");
    check(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "rpcwhitelist");
    check(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "rpcworkqueue");
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "did not answer a within 0 s");
    let (url, _) = serve(|_, _, _| Some(b"x".repeat(100_000)));
    let error = by_password(url).call("a", vec![]).unwrap_err();
    assert!(matches!(error, RpcError::Protocol(_)), "{error}");
}

#[test]
fn errors_of_methods_keep_their_code() {
    let body =
        |code: i64| json!({"id": 0, "result": null, "error": {"code": code, "message": "m"}});
    let (url, _) = serve(move |count, _, _| match count {
        1 => http(500, &body(-28).to_string()),
        2 => http(404, &body(-32601).to_string()),
        _ => http(200, &body(-5).to_string()),
    });
    let rpc = by_password(url);
    assert_eq!(rpc.call("a", vec![]), Err(RpcError::WarmingUp("m".into())));
    assert!(rpc.call("a", vec![]).unwrap_err().is_refused_method());
    let error = rpc.call("a", vec![]).unwrap_err();
    assert_eq!(error.to_string(), "bitcoind answers a with: m (code -5)");
}

#[test]
fn batches_are_put_in_order_and_end_with_the_chain() {
    // hashes up to height 2500 are known, and answers come in reverse
    let (url, asked) = serve(|_, _, body| {
        let answer = |call: &Value| {
            let height = call["params"][0].as_u64().unwrap();
            match height {
                0..=2500 => json!({"id": call["id"], "result": format!("{height:064x}")}),
                _ => json!({"id": call["id"], "error": {"code": -8, "message": "out of range"}}),
            }
        };
        let answers: Vec<Value> = body.as_array().unwrap().iter().rev().map(answer).collect();
        http(200, &Value::Array(answers).to_string())
    });
    let rpc = by_password(url);
    let hashes = rpc.block_hashes(Height(7), Height(5000)).unwrap();
    assert_eq!(hashes.len(), 2494);
    assert_eq!(hashes[2493].to_string(), format!("{:064x}", 2500));
    assert_eq!(asked.lock().unwrap().len(), 2);
    assert!(rpc.block_hashes(Height(2501), Height(2501)).unwrap().is_empty());
    assert!(rpc.block_hashes(Height(2), Height(1)).unwrap().is_empty());
}

#[test]
fn a_batch_with_answers_missing_or_foreign_is_an_error() {
    for body in ["[]", "[{\"id\":9,\"result\":1}]", "[{\"id\":\"x\"}]", "{}", "7"] {
        let (url, _) = serve(move |_, _, _| http(200, body));
        let error = by_password(url).batch(&[("a", vec![])]).unwrap_err();
        assert!(matches!(error, RpcError::Protocol(_)), "{body}: {error}");
    }
}

fn hash(n: u32) -> BlockHash {
    format!("{n:064x}").parse().unwrap()
}

#[test]
fn a_refused_long_poll_becomes_asking() {
    let info = json!({
        "chain": "regtest", "blocks": 5, "headers": 5, "bestblockhash": hash(5).to_string(),
        "initialblockdownload": false, "verificationprogress": 0.9999981, "pruned": false,
        "size_on_disk": 1000
    });
    let refusal = json!({"id": 0, "result": null, "error": {"code": -1, "message": "help"}});
    let (url, asked) = serve(move |_, _, body| match body["method"].as_str() {
        // as an older bitcoind does with one argument more than it knows
        Some("waitfornewblock") => http(500, &refusal.to_string()),
        Some("waitforblockheight") => http(403, ""),
        _ => result(info.clone()),
    });
    let mut wait = TipWait::new(&by_password(url), Duration::from_secs(1));
    let there = |height| NodeTip { height: Height(height), hash: hash(height) };
    let tip = wait.wait_for_other(there(4), Duration::from_secs(1)).unwrap();
    assert_eq!(tip, there(5));
    let tip = wait.wait_for_other(there(5), Duration::from_millis(50)).unwrap();
    assert_eq!(tip, there(5));
    let asked = asked.lock().unwrap();
    for method in ["waitfornewblock", "waitforblockheight"] {
        let times = asked.iter().filter(|(_, body)| body["method"] == method).count();
        assert_eq!(times, 1, "{method}");
    }
}
