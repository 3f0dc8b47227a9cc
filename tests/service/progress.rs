//! The progress of a build, as reported to another process, in the log and on a terminal.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hekte_testkit::files::FileOptions;
use hekte_testkit::hekte::Hekte;
use hekte_testkit::scratch::Scratch;
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::{
    BINARY, PATIENCE, made_chain, made_chain_in_files_of, offline, with_variables, without_settings,
};

/// The phases in the order of a build.
const PHASES: [&str; 5] = [
    "waiting for bitcoind",
    "scanning block files",
    "reading blocks",
    "merging",
    "following the tip",
];

/// A watchdog interval of 20 ms: hekte feeds it, and looks at its progress, a hundred times a
/// second.
const OFTEN: &str = "WATCHDOG_PID=$$ WATCHDOG_USEC=20000";

/// A hekte that runs only while it is being asked, so that no step of a short build is missed.
struct Slowed {
    hekte: Hekte,
    folder: Scratch,
    address: String,
    /// The reports so far.
    told: Vec<Value>,
}

fn send(id: u32, signal: Signal) {
    kill(Pid::from_raw(id as i32), signal).unwrap();
}

impl Slowed {
    fn start(folder: Scratch) -> Slowed {
        let command = with_variables(&offline(&folder), OFTEN);
        let hekte = Hekte::spawn_command(command, folder.path());
        let end = Instant::now() + PATIENCE;
        while hekte.addresses().is_empty() {
            assert!(Instant::now() < end, "not serving: {}", hekte.log());
            send(hekte.id(), Signal::SIGSTOP);
            std::thread::sleep(Duration::from_millis(4));
            send(hekte.id(), Signal::SIGCONT);
            std::thread::sleep(Duration::from_millis(1));
        }
        send(hekte.id(), Signal::SIGSTOP);
        let address = hekte.address();
        Slowed { hekte, folder, address, told: Vec::new() }
    }

    /// Asks from another process, and checks the report against the earlier ones.
    fn look(&mut self) -> Value {
        let mut asking = self.ask();
        // in this time the asking process starts and connects
        std::thread::sleep(Duration::from_millis(10));
        send(self.hekte.id(), Signal::SIGCONT);
        let code = asking.wait().unwrap().code();
        send(self.hekte.id(), Signal::SIGSTOP);
        let mut text = String::new();
        asking.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(told["running"], true, "{told}");
        assert_eq!(code, Some(if told["synced"] == true { 0 } else { 75 }), "{told}");
        if let Some(before) = self.told.last() {
            assert!(place(&told) >= place(before), "{before} then {told}");
            for key in ["height", "percent"] {
                let fell = told[key].as_f64().unwrap() < before[key].as_f64().unwrap();
                assert!(!fell || told["phase"] != before["phase"], "{before} then {told}");
            }
        }
        assert!(told["height"].as_u64() <= told["target"].as_u64(), "{told}");
        assert!((0.0..=100.0).contains(&told["percent"].as_f64().unwrap()), "{told}");
        self.told.push(told.clone());
        told
    }

    fn ask(&self) -> Child {
        let mut command = without_settings(Command::new(BINARY));
        command.args(["status", "--json", "--network", "regtest", "--offline"]);
        command.args(["--listen", &self.address]).arg("--bitcoin-dir").arg(self.folder.path());
        command.arg("--data-dir").arg(self.folder.join("data")).stdin(Stdio::null());
        command.stdout(Stdio::piped()).spawn().unwrap()
    }

    /// Asks until `so` is true of the report.
    fn look_until(&mut self, what: &str, so: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let told = self.look();
            if so(&told) {
                return told;
            }
            assert!(Instant::now() < end, "never {what}: {:?}", self.told);
            assert!(place(&told) < 4, "too quick for {what}: {:?}", self.told);
        }
    }

    fn phases(&self) -> Vec<&str> {
        let mut phases: Vec<&str> =
            self.told.iter().map(|told| told["phase"].as_str().unwrap()).collect();
        phases.dedup();
        phases
    }

    fn stop(self) -> (Scratch, String) {
        send(self.hekte.id(), Signal::SIGCONT);
        let done = self.hekte.terminate();
        assert!(done.status.success(), "{}", done.stderr);
        (self.folder, done.stderr)
    }
}

/// The number of the report's phase.
fn place(told: &Value) -> usize {
    PHASES.iter().position(|phase| told["phase"] == *phase).unwrap_or_else(|| panic!("{told}"))
}

fn percent(told: &Value) -> f64 {
    told["percent"].as_f64().unwrap()
}

#[test]
fn a_build_is_told_to_another_process_and_to_the_log() {
    let files = FileOptions { max_file: 64 << 10, blk_chunk: 16 << 20, ..FileOptions::default() };
    let mut hekte = Slowed::start(made_chain_in_files_of(1500, files));
    let half = hekte.look_until("half read", |told| place(told) == 2 && percent(told) >= 40.0);
    assert!(percent(&half) < 90.0, "too quick: {half}");
    let (folder, _) = hekte.stop();

    // blocks read before count; the rest is a second batch, so that there is something to merge
    let mut hekte = Slowed::start(folder);
    let reading = hekte.look_until("reading", |told| place(told) == 2);
    assert!((percent(&half) - 1.0..100.0).contains(&percent(&reading)), "{half} then {reading}");
    assert!(reading["height"].as_u64() >= half["height"].as_u64(), "{half} then {reading}");
    // a rate and a time appear only after some seconds
    hekte.look_until("further", |told| percent(told) > percent(&reading));
    std::thread::sleep(Duration::from_secs(11));
    let paced = hekte.look_until("the pace", |told| {
        told["bytes_per_second"].as_u64() > Some(0) && told["seconds_left"].is_u64()
    });
    assert_eq!(place(&paced), 2, "{paced}");
    let last = hekte.look_until("following", |told| place(told) == 4 && told["synced"] == true);
    assert_eq!((percent(&last), last["height"].as_u64()), (100.0, Some(1500)), "{last}");
    assert!(last["bytes_per_second"].is_null() && last["seconds_left"].is_null(), "{last}");
    let phases = hekte.phases();
    assert!(phases.ends_with(&PHASES[1..]), "{phases:?}");
    for phase in &PHASES[1..4] {
        let of_phase = hekte.told.iter().filter(|told| told["phase"] == *phase);
        let mut percents: Vec<f64> = of_phase.map(percent).collect();
        percents.dedup();
        println!("{phase}: {percents:?}");
        assert!(percents.iter().any(|percent| (0.1..100.0).contains(percent)), "{percents:?}");
    }

    let (_, log) = hekte.stop();
    let says =
        |part: &str, more: &str| log.lines().any(|line| line.contains(part) && line.contains(more));
    assert!(says("reading blocks ", " MiB/s, "), "{log}");
    assert!(says("reading blocks ", " left, height="), "{log}");
    assert!(says("serving, height=1500", ""), "{log}");
    assert!(!log.contains(['\r', '\x1b']), "no bar where there is no terminal: {log}");
}

/// The content of a terminal: its finished lines, and every state of the line with the cursor.
fn shown(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut finished, mut states) = (Vec::new(), Vec::new());
    let (mut line, mut column) = (Vec::new(), 0);
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match char {
            '\r' => column = 0,
            '\n' => {
                finished.push(line.iter().collect());
                line.clear();
                column = 0;
            }
            '\x1b' => {
                assert_eq!((rest.next(), rest.next()), (Some('['), Some('K')));
                line.truncate(column);
                states.push(line.iter().collect());
            }
            char => {
                line.truncate(line.len().max(column));
                match line.get_mut(column) {
                    Some(place) => *place = char,
                    None => line.push(char),
                }
                column += 1;
            }
        }
    }
    (finished, states)
}

#[test]
fn a_terminal_shows_a_bar_below_the_log() {
    let chain = made_chain(400);
    let size = Winsize { ws_row: 24, ws_col: 70, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(&size, None).unwrap();
    let mut command = offline(&chain);
    command.arg("--sync-only");
    let mut command = with_variables(&command, &format!("{OFTEN} TERM=xterm"));
    command.stdout(Stdio::null()).stderr(Stdio::from(terminal.slave));
    let mut hekte = command.spawn().unwrap();
    drop(command); // closes the command's own end of the terminal
    let (mut bytes, mut master) = (Vec::new(), File::from(terminal.master));
    // reading ends with an error when the other end is closed
    let _ = master.read_to_end(&mut bytes);
    assert!(hekte.wait().unwrap().success());
    let (finished, states) = shown(&String::from_utf8(bytes).unwrap());
    let bars: Vec<&String> = states.iter().filter(|state| state.contains("] ")).collect();
    let reading = bars.iter().find(|bar| bar.contains("reading blocks") && bar.contains('#'));
    let reading = reading.unwrap_or_else(|| panic!("{states:?}"));
    assert!(reading.starts_with("[#") && reading.contains("-] "), "{reading}");
    assert!(bars.iter().all(|bar| bar.len() < 70), "{bars:?}");
    for line in &finished {
        assert!(line.contains("[INFO]") || line.contains("[WARN]"), "{line:?} among {finished:?}");
        assert!(!line.contains("##") && !line.contains("--"), "{line}");
    }
    assert!(!finished.is_empty());
}
