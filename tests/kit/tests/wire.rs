//! The byte-level client and the process runner, against a server of a few lines.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;

use hekte_testkit::client::{Client, Line};
use hekte_testkit::hekte::{self, Hekte};
use hekte_testkit::scratch::Scratch;
use serde_json::json;

/// A server that answers each line with the next of the given texts, then closes the connection.
fn server(replies: &'static [&'static str]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for reply in replies {
            lines.next();
            (&stream).write_all(reply.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn answers_notes_and_batches_are_told_apart() {
    let mut client = Client::connect(server(&[
        "{\"method\":\"m\",\"params\":[1]}\n{\"id\":1,\"result\":7}\n",
        "{\"id\":2,\"error\":{\"code\":1}}\n",
        "[{\"id\":4,\"result\":40},{\"id\":3,\"error\":{\"code\":3}}]\nlast words",
    ]));
    assert_eq!(client.call("a", json!([])), Ok(json!(7)));
    assert_eq!(client.call("b", json!([])), Err(json!({"code": 1})));
    let answers = client.batch(&[("c", json!([])), ("d", json!([]))]);
    assert_eq!(answers, [Err(json!({"code": 3})), Ok(json!(40))]);
    let note = client.notification(Duration::ZERO).expect("kept while waiting");
    assert_eq!(note["params"], json!([1]));
    assert_eq!(client.line(Duration::from_secs(5)), Line::Closed(b"last words".to_vec()));
}

#[test]
fn silence_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(listener.local_addr().unwrap());
    assert_eq!(client.line(Duration::from_millis(30)), Line::Timeout);
    assert_eq!(client.notification(Duration::from_millis(30)), None);
}

#[test]
fn a_process_is_watched_stopped_and_killed() {
    let scratch = Scratch::new("wire");
    let script = "echo out; echo '[INFO] serving Electrum RPC on 127.0.0.1:4242 (TCP)' >&2; \
                  trap 'echo bye >&2; exit 3' TERM; while :; do sleep 0.02; done";
    let process = Hekte::start("/bin/sh", scratch.path(), &["-c", script]);
    assert_eq!(process.address(), "127.0.0.1:4242");
    let end = process.terminate();
    assert_eq!((end.status.code(), end.stdout.as_str()), (Some(3), "out\n"));
    assert!(end.stderr.ends_with("bye\n"), "{end:?}");
    let mut process = Hekte::start("/bin/sh", scratch.path(), &["-c", script]);
    assert!(process.is_running());
    assert_eq!(process.kill().status.code(), None);
    let end = hekte::run("/bin/sh", scratch.path(), &["-c", "pwd; exit 5"]);
    assert_eq!((end.status.code(), end.stdout.trim()), (Some(5), scratch.path().to_str().unwrap()));
}
