//! One command run to its end, with what the kernel counted for it.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio, exit};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::limit::Limit;

/// What a run cost.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Seconds on the clock.
    pub wall: f64,
    /// Seconds of CPU, user and system.
    pub cpu: f64,
    /// The most RAM held, bytes.
    pub peak_rss: u64,
    /// Bytes sent towards the disk.
    pub written: u64,
    /// Its standard output.
    pub stdout: String,
}

/// Runs a command in a helper process of its own, so that its figures are those of no other child.
/// `limit` is the memory that the kernel lets it have, in MiB. Panics if it fails.
pub fn run(limit: Option<u64>, program: &Path, args: &[&str]) -> Cost {
    let own = std::env::current_exe().expect("this program has a path");
    let limit = limit.map_or("none".to_string(), |mib| mib.to_string());
    let output = Command::new(own)
        .args(["one", &limit])
        .arg(program)
        .args(args)
        .stderr(Stdio::piped())
        .output()
        .expect("this program can be started");
    let text = String::from_utf8_lossy(&output.stdout);
    let seen: Value = serde_json::from_str(&text).unwrap_or_else(|_| {
        panic!("{program:?} {args:?} failed: {}", String::from_utf8_lossy(&output.stderr))
    });
    Cost {
        wall: seen["wall"].as_f64().unwrap_or_default(),
        cpu: seen["cpu"].as_f64().unwrap_or_default(),
        peak_rss: seen["peak_rss"].as_u64().unwrap_or_default(),
        written: seen["written"].as_u64().unwrap_or_default(),
        stdout: seen["stdout"].as_str().unwrap_or_default().to_string(),
    }
}

/// The helper: runs the command, prints its figures as one line of JSON.
pub fn run_one(limit: &str, command: &[&str]) {
    let limit = limit.parse().ok().and_then(Limit::enter);
    let [program, args @ ..] = command else { exit(64) };
    let start = Instant::now();
    let mut child = Command::new(program)
        .args(args)
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdout = String::new();
    let mut pipe = child.stdout.take().expect("piped");
    pipe.read_to_string(&mut stdout).expect("text");
    // as a zombie it still has its counters
    let pid = Pid::from_raw(child.id() as i32);
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("a child");
    let wall = start.elapsed().as_secs_f64();
    let written = written(child.id());
    let status = child.wait().expect("a child");
    assert!(status.success(), "{program} {args:?}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts");
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    drop(limit);
    let figures = json!({
        "wall": wall,
        "cpu": seconds(usage.user_time()) + seconds(usage.system_time()),
        "peak_rss": usage.max_rss() * 1024,
        "written": written,
        "stdout": stdout,
    });
    println!("{figures}");
}

fn written(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or_default()
}
