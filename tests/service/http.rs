//! A client of the metrics port: one request, one reply.

use std::io::{Read, Write};
use std::net::TcpStream;

use hekte_testkit::hekte::Hekte;

use crate::PATIENCE;

/// The text in the log before the address.
const SERVING: &str = "serving metrics on http://";

/// A reply of the metrics port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    /// The value of the sample with exactly this name and these labels.
    pub fn sample(&self, name: &str) -> Option<f64> {
        let value = self.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map(|value| value.parse().unwrap())
    }
}

/// The ADDR:PORT of the metrics port, as logged.
pub fn address(hekte: &mut Hekte) -> String {
    hekte.wait_log(SERVING);
    let log = hekte.log();
    let rest = log.split_once(SERVING).unwrap().1;
    rest.split_once('/').unwrap().0.to_owned()
}

/// Sends bytes and reads the reply to its end.
pub fn raw(address: &str, request: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    let status = head.split(' ').nth(1).unwrap_or("0").parse().unwrap_or(0);
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

/// Sends a request as curl does.
pub fn get(address: &str, path: &str) -> Reply {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\n\r\n");
    raw(address, head.as_bytes())
}
