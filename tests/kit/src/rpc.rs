//! A blocking JSON-RPC client for bitcoind: one HTTP request per connection.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use bitcoin::Block;
use bitcoin::consensus::encode::serialize_hex;
use serde_json::{Value, json};

/// The RPC of a node. The cookie is read anew for each call, since each start writes a new one.
#[derive(Clone, Debug)]
pub struct Rpc {
    /// The node's `address:port`.
    address: String,
    /// The path of requests: `/` or `/wallet/NAME`.
    path: String,
    cookie: PathBuf,
}

impl Rpc {
    /// A client for a `url` like `http://127.0.0.1:18443`.
    pub fn new(url: &str, cookie: PathBuf) -> Self {
        let rest = url.strip_prefix("http://").unwrap_or(url);
        let address = rest.split('/').next().unwrap_or_default().to_string();
        Self { address, path: "/".into(), cookie }
    }

    /// A client for one of the node's wallets.
    pub fn wallet(&self, name: &str) -> Self {
        Self { path: format!("/wallet/{name}"), ..self.clone() }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn cookie(&self) -> &PathBuf {
        &self.cookie
    }

    /// Calls a method; `params` is an array or object. The error is a text: why the call failed, or
    /// the node's error object.
    pub fn try_call(&self, method: &str, params: Value) -> Result<Value, String> {
        let body = json!({"jsonrpc": "1.0", "id": 0, "method": method, "params": params});
        let reply = self.post(&body.to_string()).map_err(|e| format!("{method}: {e}"))?;
        let mut reply: Value =
            serde_json::from_str(&reply).map_err(|e| format!("{method}: {e} in {:.200}", reply))?;
        match reply["error"].take() {
            Value::Null => Ok(reply["result"].take()),
            error => Err(format!("{method}: {error}")),
        }
    }

    /// Calls a method that must succeed.
    pub fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// Submits a block. `Ok("")` if it became part of the best chain, otherwise the node's answer
    /// (`inconclusive`, `duplicate`, or the reason for a refusal).
    pub fn submit_block(&self, block: &Block) -> Result<String, String> {
        let answer = self.try_call("submitblock", json!([serialize_hex(block)]))?;
        Ok(answer.as_str().unwrap_or_default().to_string())
    }

    /// Height of the node's best block.
    pub fn height(&self) -> u32 {
        self.call("getblockcount", json!([])).as_u64().expect("a number") as u32
    }

    fn post(&self, body: &str) -> Result<String, String> {
        let cookie = fs::read_to_string(&self.cookie)
            .map_err(|e| format!("{}: {e}", self.cookie.display()))?;
        let auth = base64(cookie.trim().as_bytes());
        let (path, address, len) = (&self.path, &self.address, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {auth}\r\n\
             Content-Type: application/json\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n"
        );
        let mut reply = Vec::new();
        let mut io = || -> std::io::Result<()> {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(Duration::from_secs(120)))?;
            stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
            // do not read to the end: Core 31.99 closes up to 50 ms after its reply
            let mut piece = [0; 1 << 16];
            while !is_whole(&reply) {
                match stream.read(&mut piece)? {
                    0 => break,
                    count => reply.extend_from_slice(&piece[..count]),
                }
            }
            Ok(())
        };
        io().map_err(|e| format!("{address}: {e}"))?;
        let reply = String::from_utf8(reply).map_err(|_| "reply is not UTF-8".to_string())?;
        let (head, body) = reply.split_once("\r\n\r\n").ok_or("reply without header")?;
        if body.is_empty() {
            return Err(head.lines().next().unwrap_or("empty reply").to_string());
        }
        Ok(body.to_string())
    }
}

/// Whether a reply has as many bytes as its header announces.
fn is_whole(reply: &[u8]) -> bool {
    let Some(head) = reply.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let text = String::from_utf8_lossy(&reply[..head]).to_lowercase();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("content-length:"));
    let length = lines.next().and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| reply.len() >= head + 4 + length)
}

/// An amount from the node, given in bitcoin, as satoshi.
pub fn satoshi(value: &Value) -> u64 {
    // doubles are exact enough for every possible amount: 21e14 < 2^53
    (value.as_f64().expect("a number") * 1e8).round() as u64
}

/// Base64 as in RFC 4648, for the Authorization header.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let word = (0..3).fold(0u32, |w, i| w << 8 | u32::from(*three.get(i).unwrap_or(&0)));
        for digit in 0..4 {
            let index = (word >> (18 - 6 * digit)) & 63;
            out.push(if digit > three.len() { '=' } else { char::from(DIGITS[index as usize]) });
        }
    }
    out
}
