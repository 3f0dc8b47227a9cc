//! HTTP/1.1 as far as bitcoind needs it: one POST at a time on a connection that stays open.
//!
//! The end of a reply is known from its Content-Length, which bitcoind always sends; it is compared
//! with the caller's cap before a byte of the body is stored.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// The longest head of a reply; bitcoind's are some 150 bytes.
const MAX_HEAD_BYTES: u64 = 16 << 10;

/// How long connecting may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// Why there is no reply.
#[derive(Debug)]
pub enum HttpError {
    /// bitcoind had closed the connection before it answered anything: send the request again.
    Closed,
    /// The connection failed, or nothing arrived in time.
    Io(io::Error),
    /// The body is longer than the cap; it has this many bytes.
    TooLong(u64),
    /// The bytes received are no HTTP reply.
    Malformed(String),
}

/// A reply of bitcoind.
#[derive(Debug)]
pub struct HttpReply {
    /// The status code: 200, 401, ...
    pub status: u16,
    /// The body, complete.
    pub body: Vec<u8>,
    /// Whether the connection can carry another request.
    pub reusable: bool,
}

/// An open connection to bitcoind.
#[derive(Debug)]
pub struct HttpConnection {
    stream: BufReader<TcpStream>,
    host: String,
}

impl HttpConnection {
    /// Connects. Any later read or write may take up to `timeout`.
    pub fn open(host: &str, port: u16, timeout: Duration) -> io::Result<HttpConnection> {
        let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIME) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(timeout))?;
                    stream.set_write_timeout(Some(timeout))?;
                    // a request is one write, so there is nothing to wait for
                    stream.set_nodelay(true)?;
                    let host = format!("{host}:{port}");
                    return Ok(HttpConnection { stream: BufReader::new(stream), host });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Sends one request and reads its reply, of at most `max_body_bytes`.
    pub fn post(
        &mut self,
        path: &str,
        authorization: &str,
        body: &[u8],
        max_body_bytes: u64,
    ) -> Result<HttpReply, HttpError> {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nConnection: keep-alive\r\nAuthorization: \
             {authorization}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.host,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        // a write to a closed connection may fail, or it may succeed and be answered by a reset
        self.stream.get_mut().write_all(&request).map_err(closed_or_failed)?;
        if self.stream.fill_buf().map_err(closed_or_failed)?.is_empty() {
            return Err(HttpError::Closed);
        }
        self.read_reply(max_body_bytes)
    }

    fn read_reply(&mut self, max_body_bytes: u64) -> Result<HttpReply, HttpError> {
        let mut head = (&mut self.stream).take(MAX_HEAD_BYTES);
        let first = read_head_line(&mut head)?;
        let mut words = first.split(' ');
        let version = words.next().unwrap_or_default();
        let status = words.next().and_then(|status| status.parse().ok());
        let Some(status) = status.filter(|_| version.starts_with("HTTP/1.")) else {
            let shown: String = first.chars().take(60).collect();
            return Err(HttpError::Malformed(format!("a reply beginning with {shown:?}")));
        };
        let mut length = None;
        let mut reusable = version == "HTTP/1.1";
        loop {
            let line = read_head_line(&mut head)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse::<u64>().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                reusable &= !value.eq_ignore_ascii_case("close");
            }
        }
        let Some(length) = length else {
            return Err(HttpError::Malformed("a reply without Content-Length".into()));
        };
        if length > max_body_bytes {
            return Err(HttpError::TooLong(length));
        }
        let mut body = Vec::new();
        (&mut self.stream).take(length).read_to_end(&mut body).map_err(HttpError::Io)?;
        if body.len() as u64 != length {
            return Err(HttpError::Malformed("a reply that was cut off".into()));
        }
        Ok(HttpReply { status, body, reusable })
    }
}

fn read_head_line(head: &mut impl BufRead) -> Result<String, HttpError> {
    let mut line = Vec::new();
    head.read_until(b'\n', &mut line).map_err(HttpError::Io)?;
    if line.pop() != Some(b'\n') {
        return Err(HttpError::Malformed("a reply whose head does not end".into()));
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_string())
}

/// `Closed` for the errors of a connection that was closed while it was idle, `Io` for the rest.
fn closed_or_failed(error: io::Error) -> HttpError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error.kind() {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => HttpError::Closed,
        _ => HttpError::Io(error),
    }
}
