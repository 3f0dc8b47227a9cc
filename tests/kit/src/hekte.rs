//! Runs the program under test as its users do: as a process with arguments, a log and signals.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use crate::client::Client;

/// How long the program may take to start, stop, or run to its end.
const PATIENCE: Duration = Duration::from_secs(120);
/// The text in the log before the address, once clients can connect.
const SERVING: &str = "serving Electrum RPC on ";

/// The outcome of a finished run.
#[derive(Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A running process; killed on drop.
pub struct Hekte {
    child: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// Runs the program to its end, in folder `dir`. Panics after two minutes.
pub fn run(binary: &str, dir: &Path, args: &[&str]) -> Finished {
    Hekte::spawn(binary, dir, args).wait()
}

impl Hekte {
    /// Starts the program in folder `dir` without waiting. Settings in the environment are hidden
    /// from it.
    pub fn spawn(binary: &str, dir: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(binary);
        command.args(args).stdin(Stdio::null());
        Self::spawn_command(command, dir)
    }

    /// Like [`Hekte::spawn`], for a command that is or becomes the program and may set variables
    /// and stdin.
    pub fn spawn_command(mut command: Command, dir: &Path) -> Self {
        let own: Vec<OsString> = command.get_envs().map(|(name, _)| name.into()).collect();
        for (name, _) in std::env::vars_os() {
            let hidden = name.to_string_lossy().starts_with("HEKTE_") || name == "NOTIFY_SOCKET";
            if hidden && !own.contains(&name) {
                command.env_remove(name);
            }
        }
        if !own.iter().any(|name| name == "HEKTE_METRICS") {
            // the usual port of the metrics exists once per machine, but tests run in parallel
            command.env("HEKTE_METRICS", "off");
        }
        command.current_dir(dir).env("HOME", dir);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().expect("piped"), &stdout),
            collect(child.stderr.take().expect("piped"), &stderr),
        ];
        Self { child, stdout, stderr, readers }
    }

    /// Starts the program and waits until it serves clients.
    pub fn start(binary: &str, dir: &Path, args: &[&str]) -> Self {
        let mut hekte = Self::spawn(binary, dir, args);
        hekte.wait_log(SERVING);
        hekte
    }

    /// `ADDR:PORT` of the first listener, as logged. Panics if it does not serve yet.
    pub fn address(&self) -> String {
        self.addresses()
            .into_iter()
            .next()
            .unwrap_or_else(|| panic!("not serving:\n{}", self.log()))
    }

    /// The addresses of all listeners so far.
    pub fn addresses(&self) -> Vec<String> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| line.split_once(SERVING));
        lines.filter_map(|(_, rest)| rest.split_whitespace().next()).map(str::to_string).collect()
    }

    /// A new connection to the first listener.
    pub fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// The text on stderr so far.
    pub fn log(&self) -> String {
        self.stderr.lock().expect("no reader panics").clone()
    }

    /// Waits until the log contains a text; panics if the process ends first, or after two minutes.
    pub fn wait_log(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            if let Some(status) = self.child.try_wait().expect("a child") {
                sleep(Duration::from_millis(50)); // the last lines may still be on their way
                if self.log().contains(text) {
                    return;
                }
                panic!("ended with {status} before saying {text:?}:\n{}", self.log());
            }
            assert!(Instant::now() < end, "never said {text:?}:\n{}", self.log());
            sleep(Duration::from_millis(10));
        }
    }

    /// True while the process lives.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name, such as `TERM` or `HUP`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(status.success(), "{kill}");
    }

    /// Asks the program to stop (SIGTERM) and waits until it has.
    pub fn terminate(self) -> Finished {
        self.signal("TERM");
        self.wait()
    }

    /// Kills the program (SIGKILL).
    pub fn kill(mut self) -> Finished {
        let _ = self.child.kill();
        self.wait()
    }

    /// Waits for the program to end; panics after two minutes.
    pub fn wait(mut self) -> Finished {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < end, "does not end:\n{}", self.log());
            sleep(Duration::from_millis(10));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("readers do not panic");
        }
        let stdout = self.stdout.lock().expect("no reader panics").clone();
        Finished { status, stdout, stderr: self.log() }
    }
}

impl Drop for Hekte {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads a stream to its end on a thread, so that the process never blocks on a full pipe.
fn collect(
    stream: impl std::io::Read + Send + 'static,
    into: &Arc<Mutex<String>>,
) -> JoinHandle<()> {
    let into = Arc::clone(into);
    spawn(move || {
        let (mut stream, mut line) = (BufReader::new(stream), Vec::new());
        while stream.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            into.lock().expect("nobody panics").push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
