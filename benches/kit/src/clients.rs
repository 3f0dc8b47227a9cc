//! A thousand clients that watch scripts, all read by one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use hekte_testkit::rng::Rng;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

/// Number of clients.
pub const CLIENTS: usize = 1000;
/// Number of scripts that each client watches.
pub const WATCHED_EACH: usize = 100;

/// The notifications received: the time, and the script or tip that each is about.
type Heard = Arc<Mutex<Vec<(Instant, String)>>>;

/// All clients, read by one thread.
pub struct Clients {
    heard: Heard,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

fn connect(address: &str, watched: &[String], rng: &mut Rng) -> TcpStream {
    let stream = TcpStream::connect(address).expect("hekte takes so many clients");
    let mut client = &stream;
    let mut lines = vec![
        json!({"id": 0, "method": "server.version", "params": ["load", "1.6"]}),
        json!({"id": 1, "method": "blockchain.headers.subscribe", "params": []}),
    ];
    lines.extend((0..WATCHED_EACH).map(|n| {
        let script = &watched[rng.below(watched.len() as u64) as usize];
        json!({"id": n + 2, "method": "blockchain.scripthash.subscribe", "params": [script]})
    }));
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    client.write_all(text.as_bytes()).expect("it reads");
    let (mut left, mut chunk) = (lines.len(), [0; 4096]);
    while left > 0 {
        let count = client.read(&mut chunk).expect("it answers");
        left -= chunk[..count].iter().filter(|byte| **byte == b'\n').count();
    }
    stream.set_nonblocking(true).expect("TCP");
    stream
}

impl Clients {
    /// Connects and subscribes all clients.
    pub fn start(address: &str, watched: &[String]) -> Clients {
        let mut rng = Rng::new(7);
        let streams: Vec<TcpStream> =
            (0..CLIENTS).map(|_| connect(address, watched, &mut rng)).collect();
        let (heard, stop) = (Heard::default(), Arc::<AtomicBool>::default());
        let inside = (heard.clone(), stop.clone());
        let thread = spawn(move || read(&streams, &inside.0, &inside.1));
        Clients { heard, stop, thread: Some(thread) }
    }

    /// Waits until no notification has come for a while; returns those since the last call.
    pub fn settle(&self) -> Vec<(Instant, String)> {
        loop {
            let before = self.heard.lock().expect("no panics").len();
            sleep(Duration::from_secs(3));
            if self.heard.lock().expect("no panics").len() == before {
                return std::mem::take(&mut self.heard.lock().expect("no panics"));
            }
        }
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panics");
        }
    }
}

fn read(streams: &[TcpStream], heard: &Heard, stop: &AtomicBool) {
    let mut parts: Vec<Vec<u8>> = vec![Vec::new(); streams.len()];
    let mut chunk = [0; 65536];
    while !stop.load(Ordering::Relaxed) {
        let mut fds: Vec<PollFd<'_>> =
            streams.iter().map(|s| PollFd::new(s.as_fd(), PollFlags::POLLIN)).collect();
        poll(&mut fds, PollTimeout::from(200u8)).expect("poll");
        let ready = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect::<Vec<_>>();
        drop(fds);
        for ((mut stream, part), _) in
            streams.iter().zip(&mut parts).zip(&ready).filter(|(_, ready)| **ready)
        {
            match stream.read(&mut chunk) {
                Ok(count) => {
                    assert!(count > 0, "hekte closed a connection");
                    part.extend_from_slice(&chunk[..count]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => panic!("{error}"),
            }
            let now = Instant::now();
            let mut heard = heard.lock().expect("no panics");
            while let Some(end) = part.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = part.drain(..=end).collect();
                let note: Value = serde_json::from_slice(&line).expect("JSON");
                let of = note["params"][0].as_str().unwrap_or("tip").to_string();
                heard.push((now, of));
            }
        }
    }
}
