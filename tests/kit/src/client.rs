//! An Electrum client that shows every byte: it sends bytes as given, and returns lines unchanged.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a reply may take unless [`Client::patience`] is set otherwise.
const PATIENCE: Duration = Duration::from_secs(20);

/// The answer to one request: `result`, or the `error` object.
pub type Answer = Result<Value, Value>;

/// The outcome of reading a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Line {
    /// A line, without its newline.
    Text(Vec<u8>),
    /// The server closed the connection; these bytes came after the last newline.
    Closed(Vec<u8>),
    /// No complete line came in time.
    Timeout,
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    /// Bytes that were received but not yet returned.
    buffer: Vec<u8>,
    next_id: u64,
    /// Notifications that came while the client waited for a reply.
    notes: VecDeque<Value>,
    /// How long [`Client::call`] and [`Client::batch`] wait.
    pub patience: Duration,
}

impl Client {
    /// Connects; tries for 2 seconds, as a server may be about to listen.
    pub fn connect(address: impl ToSocketAddrs) -> Self {
        let end = Instant::now() + Duration::from_secs(2);
        let stream = loop {
            match TcpStream::connect(&address) {
                Ok(stream) => break stream,
                Err(e) => assert!(Instant::now() < end, "cannot connect: {e}"),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        stream.set_nodelay(true).expect("TCP");
        let (buffer, notes) = (Vec::new(), VecDeque::new());
        Self { stream, buffer, next_id: 0, notes, patience: PATIENCE }
    }

    /// Sends bytes as they are; false if the server has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Closes only the sending half, so that the server sees the end of input.
    pub fn finish_sending(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// The next line, whatever it holds.
    pub fn line(&mut self, timeout: Duration) -> Line {
        let end = Instant::now() + timeout;
        let mut searched = 0;
        loop {
            if let Some(at) = self.buffer[searched..].iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=searched + at).collect();
                line.pop();
                return Line::Text(line);
            }
            searched = self.buffer.len();
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Line::Timeout;
            }
            self.stream.set_read_timeout(Some(left)).expect("not zero");
            let mut chunk = [0; 65536];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Line::Closed(std::mem::take(&mut self.buffer)),
                Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => (),
                Err(e) if e.kind() == ErrorKind::Interrupted => (),
                // the server reset the connection
                Err(_) => return Line::Closed(std::mem::take(&mut self.buffer)),
            }
        }
    }

    /// The next line as JSON; panics if none comes in time or it is no JSON.
    pub fn json(&mut self, timeout: Duration) -> Value {
        match self.line(timeout) {
            Line::Text(line) => serde_json::from_slice(&line).unwrap_or_else(|e| {
                panic!("not JSON ({e}): {:.500}", String::from_utf8_lossy(&line))
            }),
            other => panic!("expected a line, got {other:?}"),
        }
    }

    /// Sends a request and waits for the reply with its id. Notifications that come first are kept.
    pub fn call(&mut self, method: &str, params: Value) -> Answer {
        let id = self.ask(method, params);
        loop {
            let reply = self.json(self.patience);
            if reply.get("method").is_some() {
                self.notes.push_back(reply);
                continue;
            }
            assert_eq!(reply["id"], id, "reply to another request: {reply}");
            return answer(reply);
        }
    }

    /// Sends a request without waiting for the reply; returns its id.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let request = self.request(method, params);
        let id = request["id"].clone();
        assert!(self.send(format!("{request}\n").as_bytes()), "the server closed: {method}");
        id
    }

    /// Sends one JSON array of requests; returns the answers in the order of the requests.
    pub fn batch(&mut self, calls: &[(&str, Value)]) -> Vec<Answer> {
        let mut requests = Vec::new();
        for (method, params) in calls {
            requests.push(self.request(method, params.clone()));
        }
        let ids: Vec<Value> = requests.iter().map(|r| r["id"].clone()).collect();
        let text = format!("{}\n", Value::Array(requests));
        assert!(self.send(text.as_bytes()), "the server closed");
        loop {
            let reply = self.json(self.patience);
            if reply.get("method").is_some() {
                self.notes.push_back(reply);
                continue;
            }
            let Value::Array(mut replies) = reply else { panic!("no array: {reply}") };
            let pick = |id: &Value| {
                let at = replies.iter().position(|reply| reply["id"] == *id);
                answer(replies.swap_remove(at.unwrap_or_else(|| panic!("no reply to {id}"))))
            };
            let answers = ids.iter().map(pick).collect();
            assert!(replies.is_empty(), "more replies than requests: {replies:?}");
            return answers;
        }
    }

    /// The next notification (`{"method", "params"}`), if one comes in time.
    pub fn notification(&mut self, timeout: Duration) -> Option<Value> {
        if let Some(note) = self.notes.pop_front() {
            return Some(note);
        }
        match self.line(timeout) {
            Line::Text(line) => {
                let note: Value = serde_json::from_slice(&line).expect("lines are JSON");
                assert!(note.get("method").is_some(), "not a notification: {note}");
                Some(note)
            }
            Line::Timeout => None,
            Line::Closed(rest) => panic!("the server closed, {} bytes over", rest.len()),
        }
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
    }
}

fn answer(mut reply: Value) -> Answer {
    match reply.get_mut("error").map(Value::take) {
        None | Some(Value::Null) => Ok(reply["result"].take()),
        Some(error) => Err(error),
    }
}
