//! `hekte check` and `hekte status` as dashboards read them, and the marker of the index's disk.

use std::fs;
use std::process::Command;

use hekte_testkit::hekte::Hekte;
use hekte_testkit::scratch::Scratch;
use serde_json::Value;

use crate::{BINARY, made_chain, offline, without_settings};

/// Runs a command with the server's folders and settings; returns its exit code and its JSON.
fn json_of(chain: &Scratch, command: &str, settings: &[&str]) -> (Option<i32>, Value) {
    let mut run = without_settings(Command::new(BINARY));
    run.args([command, "--json", "--network", "regtest"]).args(settings);
    run.arg("--bitcoin-dir").arg(chain.path()).arg("--data-dir").arg(chain.join("data"));
    let done = run.output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}{}", String::from_utf8_lossy(&done.stderr));
    (done.status.code(), serde_json::from_str(&text).unwrap())
}

/// The finding with this name.
fn finding<'a>(report: &'a Value, what: &str) -> &'a Value {
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["what"] == what);
    found.unwrap_or_else(|| panic!("nothing about {what} in {report:#}"))
}

#[test]
fn a_report_for_dashboards_says_what_is_wrong_and_what_mends_it() {
    let chain = made_chain(3);
    let listen = ["--offline", "--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    let (code, report) = json_of(&chain, "check", &listen);
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!((&report["ok"], &report["code"]), (&Value::Bool(true), &Value::from(0)));
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    let names = ["unit", "user", "blocks", "xor key", "data dir", "disk space", "memory", "clock"];
    for what in names.into_iter().chain(["new files", "port", "metrics", "rpc"]) {
        let finding = finding(&report, what);
        assert!(finding["finding"].is_string(), "{finding}");
        assert!(finding["to_do"].is_string() || finding["to_do"].is_null(), "{finding}");
        assert!(finding["level"] == "ok" || finding["level"] == "warning", "{finding}");
    }

    // without bitcoind, and with the wrong disk
    let marker = chain.join("marker").display().to_string();
    let settings = ["--rpc-url", "http://127.0.0.1:1", "--require-marker", &marker];
    let (code, report) = json_of(&chain, "check", &settings);
    assert_eq!((code, &report["code"]), (Some(69), &Value::from(69)), "the first one's");
    assert_eq!(finding(&report, "cookie")["level"], "error");
    assert_eq!(finding(&report, "rpc")["level"], "error");
    let touch = finding(&report, "marker")["to_do"].as_str().unwrap();
    assert!(touch.ends_with(&format!("touch {marker}")), "{touch}");
}

#[test]
fn status_for_dashboards_before_and_after() {
    let chain = made_chain(3);
    let (code, status) = json_of(&chain, "status", &["--offline", "--listen", "127.0.0.1:1"]);
    assert_eq!(code, Some(75), "{status}");
    assert_eq!(status["phase"], "no index yet");
    let mut hekte = Hekte::spawn_command(offline(&chain), chain.path());
    hekte.wait_log("serving, height=3");
    let listen = ["--offline", "--listen", &hekte.address()];
    let (code, status) = json_of(&chain, "status", &listen);
    assert_eq!(code, Some(0), "{status}");
    for (key, value) in [("synced", Value::Bool(true)), ("running", Value::Bool(true))] {
        assert_eq!(status[key], value, "{status}");
    }
    assert_eq!((&status["height"], &status["target"]), (&Value::from(3), &Value::from(3)));
    assert!(status.get("seconds_left").is_some_and(Value::is_null), "{status}");

    // the index is complete, but no server answers
    assert!(hekte.terminate().status.success());
    let (code, status) = json_of(&chain, "status", &listen);
    assert_eq!(code, Some(75), "{status}");
    for key in ["synced", "running"] {
        assert_eq!(status[key], Value::Bool(false), "{status}");
    }
    assert_eq!(status["phase"], "complete, but no server answers");
    assert_eq!(status["height"], Value::from(3));
}

#[test]
fn without_its_marker_nothing_is_begun() {
    let chain = made_chain(3);
    let marker = chain.join("disk/marker");
    let mut command = offline(&chain);
    command.arg("--require-marker").arg(&marker).arg("--sync-only");
    let done = Hekte::spawn_command(command, chain.path()).wait();
    assert_eq!(done.status.code(), Some(66), "{}", done.stderr);
    assert!(done.stderr.contains("not mounted"), "{}", done.stderr);
    assert!(!chain.join("data").exists(), "the small disk stays clean");

    fs::create_dir_all(chain.join("disk")).unwrap();
    fs::write(&marker, "").unwrap();
    let mut command = offline(&chain);
    command.arg("--require-marker").arg(&marker).arg("--sync-only");
    let done = Hekte::spawn_command(command, chain.path()).wait();
    assert!(done.status.success(), "{}", done.stderr);
}
