//! A board in qemu: its disks, a shell on its serial line, and a forwarded port to hekte.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a boot, a restart or an index may take; emulation is slow, and the host may be busy.
pub const PATIENCE: Duration = Duration::from_secs(900);

/// The text that the serial line has printed so far.
#[derive(Default)]
struct Console {
    text: Mutex<String>,
    grown: Condvar,
}

/// A running machine; its power is cut when it is dropped.
pub struct Machine {
    qemu: Child,
    console: Arc<Console>,
    port: u16,
    asked: u32,
    started: Instant,
}

impl Machine {
    /// Boots the board with these disks, of which the first is the system's.
    pub fn boot(image_folder: &Path, disks: &[PathBuf]) -> Self {
        let port = free_port();
        let mut log = console_log(image_folder);
        // the board reads `node.network` at its first boot only
        let append = "console=ttyAMA0 root=/dev/nvme0n1p1 rw panic=5 quiet loglevel=3 \
             systemd.show_status=no systemd.debug_shell=ttyAMA0 \
             systemd.mask=serial-getty@ttyAMA0.service node.network=regtest";
        let mut command = Command::new("qemu-system-aarch64");
        command.args(["-M", "virt", "-cpu", "cortex-a72", "-m", "1024", "-smp", "2"]);
        command.args(["-nographic", "-monitor", "none", "-no-reboot", "-append", append]);
        command.arg("-kernel").arg(image_folder.join("vmlinuz"));
        for (number, disk) in disks.iter().enumerate() {
            let drive = format!("file={},format=raw,if=none,id=d{number}", disk.display());
            let device = format!("nvme,drive=d{number},serial=d{number}");
            command.args(["-drive", &drive, "-device", &device]);
        }
        // restrict: the guest can reach only this port forwarding
        let network = format!("user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:60401");
        command.args(["-netdev", &network, "-device", "virtio-net-pci,netdev=n0,romfile="]);
        let mut qemu = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("qemu-system-aarch64: apt-get install qemu-system-arm");
        let console = Arc::new(Console::default());
        let output = BufReader::new(qemu.stdout.take().expect("piped"));
        let listener = Arc::clone(&console);
        thread::spawn(move || listen(output, &listener, &mut log));
        Self { qemu, console, port, asked: 0, started: Instant::now() }
    }

    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Runs a line in the board's root shell; returns what it printed, without carriage returns.
    pub fn shell(&mut self, line: &str) -> String {
        self.asked += 1;
        let number = self.asked;
        // the quotes make the echoed command line differ from the markers that it prints
        let text = format!("echo beg''in-{number}; {line}; echo en''d-{number}\n");
        let (begin, end) = (format!("begin-{number}\n"), format!("end-{number}\n"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            // input is lost while the shell is not running yet
            let stdin = self.qemu.stdin.as_mut().expect("piped");
            stdin.write_all(text.as_bytes()).expect("qemu runs");
            let until = Instant::now() + Duration::from_secs(if number == 1 { 10 } else { 600 });
            if let Some(found) = self.console.between(&begin, &end, until.min(deadline)) {
                return found;
            }
            assert!(Instant::now() < deadline, "no answer to {line}:\n{}", self.console.tail());
        }
    }

    /// Asks hekte from outside, through the forwarded port; `None` if no answer came.
    pub fn ask(&self, method: &str, params: Value) -> Option<Value> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let mut line = json!({"id": 1, "method": method, "params": params}).to_string();
        line.push('\n');
        stream.write_all(line.as_bytes()).ok()?;
        let mut answer = String::new();
        BufReader::new(stream.take(1 << 20)).read_line(&mut answer).ok()?;
        let answer: Value = serde_json::from_str(&answer).ok()?;
        answer.get("result").cloned()
    }

    /// Asks until the answer is as `wanted`.
    pub fn wait_for(&self, method: &str, params: Value, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        while Instant::now() < deadline {
            match self.ask(method, params.clone()) {
                Some(answer) if wanted(&answer) => return answer,
                other => last = other,
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{method} {params}: last answer {last:?}\n{}", self.console.tail());
    }

    /// Cuts the board's power.
    pub fn cut_power(mut self) {
        self.qemu.kill().expect("qemu runs");
        self.qemu.wait().expect("qemu ends");
    }

    pub fn power_off(mut self) {
        let stdin = self.qemu.stdin.as_mut().expect("piped");
        stdin.write_all(b"systemctl poweroff\n").expect("qemu runs");
        let deadline = Instant::now() + PATIENCE;
        while self.qemu.try_wait().expect("our child").is_none() {
            assert!(Instant::now() < deadline, "does not stop:\n{}", self.console.tail());
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

impl Console {
    fn between(&self, begin: &str, end: &str, until: Instant) -> Option<String> {
        let mut text = self.text.lock().expect("no panic while held");
        loop {
            if let Some(to) = text.find(end) {
                let from = text[..to].rfind(begin)? + begin.len();
                let found = text[from..to].trim().to_owned();
                text.clear();
                return Some(found);
            }
            let left = until.checked_duration_since(Instant::now())?;
            text = self.grown.wait_timeout(text, left).expect("no panic while held").0;
        }
    }

    fn tail(&self) -> String {
        let text = self.text.lock().expect("no panic while held");
        let from = text.char_indices().rev().nth(3000).map_or(0, |(at, _)| at);
        text[from..].to_owned()
    }
}

fn listen(mut output: impl Read, console: &Console, log: &mut File) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = output.read(&mut bytes) {
        let _ = log.write_all(&bytes[..count]);
        let text = String::from_utf8_lossy(&bytes[..count]).replace('\r', "");
        console.text.lock().expect("no panic while held").push_str(&text);
        console.grown.notify_all();
    }
}

/// The file that keeps the serial line's text, one for each boot; those of the previous run are
/// deleted.
fn console_log(image_folder: &Path) -> File {
    static BOOTS: AtomicU32 = AtomicU32::new(0);
    let folder = image_folder.join("consoles");
    let number = BOOTS.fetch_add(1, Ordering::Relaxed) + 1;
    if number == 1 {
        let _ = fs::remove_dir_all(&folder);
    }
    fs::create_dir_all(&folder).expect("the image's folder is writable");
    let path = folder.join(format!("boot-{number}.log"));
    println!("boot {number}: the console goes to {}", path.display());
    File::create(path).expect("the image's folder is writable")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    listener.local_addr().expect("bound").port()
}
