//! One command run to its end, with the resources that the kernel counted for it.

use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio, exit};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::limit::Limit;

/// The resources that a run used, and its output.
#[derive(Clone, Debug)]
pub struct Cost {
    /// Elapsed time in seconds.
    pub wall: f64,
    /// CPU time in seconds, user and system.
    pub cpu: f64,
    /// The most RAM held, in bytes, including the pages of the program's file.
    pub peak_rss: u64,
    /// The most anonymous memory, in bytes; sampled every few milliseconds.
    pub peak_anon: u64,
    /// The most that the kernel counted for the control group, page cache included; 0 without one.
    pub peak_group: u64,
    /// Bytes written towards the disk.
    pub written: u64,
    /// Its standard output.
    pub stdout: String,
}

/// Runs a command in a helper process, so that its figures include no other child's. `limit` is the
/// memory in MiB that the kernel allows it. Panics if the command fails.
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
        peak_anon: seen["peak_anon"].as_u64().unwrap_or_default(),
        peak_group: seen["peak_group"].as_u64().unwrap_or_default(),
        written: seen["written"].as_u64().unwrap_or_default(),
        stdout: seen["stdout"].as_str().unwrap_or_default().to_string(),
    }
}

/// The helper process: runs the command, and prints its figures as one line of JSON.
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
    let id = child.id();
    let watch = thread::spawn(move || watch_anon(id));
    pipe.read_to_string(&mut stdout).expect("text");
    // a process that has ended keeps its counters until it is waited for
    let pid = Pid::from_raw(child.id() as i32);
    waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("a child");
    let wall = start.elapsed().as_secs_f64();
    let written = written(child.id());
    let status = child.wait().expect("a child");
    assert!(status.success(), "{program} {args:?}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts");
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let peak_group = limit.as_ref().map_or(0, Limit::peak);
    drop(limit);
    let figures = json!({
        "wall": wall,
        "cpu": seconds(usage.user_time()) + seconds(usage.system_time()),
        "peak_rss": usage.max_rss() * 1024,
        "peak_anon": watch.join().unwrap_or_default(),
        "peak_group": peak_group,
        "written": written,
        "stdout": stdout,
    });
    println!("{figures}");
}

/// The most anonymous memory of a process, sampled until its end.
fn watch_anon(pid: u32) -> u64 {
    let mut peak = 0;
    // a process that has ended has no such line
    while let Some(kib) = field(&format!("/proc/{pid}/status"), "RssAnon:") {
        peak = peak.max(kib * 1024);
        thread::sleep(Duration::from_millis(5));
    }
    peak
}

/// The number after a name in a file of /proc.
pub fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn written(pid: u32) -> u64 {
    field(&format!("/proc/{pid}/io"), "write_bytes:").unwrap_or_default()
}
