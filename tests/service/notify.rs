//! The messages to systemd, on the socket that it gives to its services.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hekte_testkit::hekte::Hekte;

use crate::{PATIENCE, made_chain, offline, with_variables};

/// systemd's end of the socket.
pub struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// Starts hekte as a service whose notify socket is in `folder`.
    pub fn start(folder: &Path, watchdog: Duration, command: &Command) -> (Manager, Hekte) {
        let path = folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let micros = watchdog.as_micros();
        let mut command =
            with_variables(command, &format!("WATCHDOG_PID=$$ WATCHDOG_USEC={micros}"));
        command.env("NOTIFY_SOCKET", path);
        (Manager { socket }, Hekte::spawn_command(command, folder))
    }

    fn next(&self, patience: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 4096];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    /// Reads messages until one has a line that begins with `start`; returns all lines up to there.
    pub fn wait(&self, start: &str) -> Vec<String> {
        let (mut all, end) = (Vec::new(), Instant::now() + PATIENCE);
        loop {
            assert!(Instant::now() < end, "no {start} among {all:?}");
            let Some(message) = self.next(Duration::from_secs(1)) else { continue };
            let found = message.lines().any(|line| line.starts_with(start));
            all.push(message);
            if found {
                return all;
            }
        }
    }
}

fn beats(messages: &[String]) -> usize {
    messages.iter().filter(|message| message.contains("WATCHDOG=1")).count()
}

#[test]
fn ready_at_once_then_a_heartbeat_in_every_phase() {
    let chain = made_chain(400);
    let mut command = offline(&chain);
    command.args(["--memory", "64MiB"]);
    let (manager, hekte) = Manager::start(chain.path(), Duration::from_millis(20), &command);
    let before = manager.wait("READY=1");
    assert_eq!(before.len(), 1, "nothing is said before: {before:?}");
    let building = manager.wait("STATUS=following the tip, height=400");
    let reading = building.iter().position(|message| message.contains("STATUS=reading blocks"));
    let reading = reading.unwrap_or_else(|| panic!("too quick to be seen: {building:?}"));
    assert!(building[reading - 1].contains("WATCHDOG=1"), "{building:?}");
    for _ in 0..3 {
        manager.wait("WATCHDOG=1");
    }
    hekte.signal("TERM");
    let stopping = manager.wait("EXTEND_TIMEOUT_USEC=");
    assert!(stopping.iter().any(|message| message.contains("STOPPING=1")), "{stopping:?}");
    assert!(hekte.wait().status.success());
}

#[test]
fn a_wait_for_bitcoind_is_a_life_and_a_stop_is_none() {
    let chain = made_chain(3);
    let mut command = offline(&chain);
    command.args(["--offline=no", "--rpc-url", "http://127.0.0.1:1"]);
    let (manager, hekte) = Manager::start(chain.path(), Duration::from_millis(200), &command);
    manager.wait("READY=1");
    manager.wait("STATUS=waiting for bitcoind");
    let mut seen = Vec::new();
    while beats(&seen) < 5 {
        seen.extend(manager.wait("WATCHDOG=1"));
    }
    hekte.signal("STOP");
    // messages that were on their way may still come
    while manager.next(Duration::from_secs(1)).is_some() {}
    assert_eq!(manager.next(Duration::from_secs(2)), None, "a stopped process says nothing");
    hekte.signal("CONT");
    manager.wait("WATCHDOG=1");
    assert!(hekte.terminate().status.success());
}

/// A read that never returns, as from a hanging disk: it opens a pipe that nobody writes to. Only
/// after five minutes the part counts as hung, so this test runs only on request.
#[test]
fn a_part_that_hangs_is_no_longer_vouched_for() {
    if std::env::var_os("HEKTE_SLOW_TESTS").is_none() {
        eprintln!("\n*** SKIPPED: takes six minutes; set HEKTE_SLOW_TESTS=1 ***");
        return;
    }
    let chain = made_chain(3);
    let pipe = chain.join("regtest/blocks/blk00001.dat");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = offline(&chain);
    command.args(["--metrics", "127.0.0.1:0"]);
    let (manager, mut hekte) = Manager::start(chain.path(), Duration::from_millis(200), &command);
    let at = crate::http::address(&mut hekte);
    manager.wait("STATUS=scanning");
    assert_eq!(crate::http::get(&at, "/health").status, 200);
    let end = Instant::now() + Duration::from_secs(400);
    let mut told = Vec::new();
    while crate::http::get(&at, "/health").status == 200 {
        assert!(Instant::now() < end, "still vouched for");
        told.extend(std::iter::from_fn(|| manager.next(Duration::from_millis(500))));
    }
    let health = crate::http::get(&at, "/health");
    assert!(health.body.starts_with("the thread that indexes"), "{}", health.body);
    told.extend(std::iter::from_fn(|| manager.next(Duration::from_secs(3))));
    let last = told.last().unwrap();
    assert!(last.contains("STATUS=hangs: the thread that indexes"), "{last}");
    assert_eq!(manager.next(Duration::from_secs(2)), None, "no heartbeat any more");
    hekte.kill();
}
