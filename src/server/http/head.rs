//! The head of an HTTP/1 request: read within a bound, and its first line parsed.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// What a request is answered with.
#[derive(Debug)]
pub(crate) struct Response {
    /// The status code with its words.
    pub(crate) status: &'static str,
    /// The body.
    pub(crate) body: String,
}

impl Response {
    /// A response of that status.
    pub(crate) fn new(status: &'static str, body: impl Into<String>) -> Response {
        Response { status, body: body.into() }
    }
}

/// The first line of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestLine<'a> {
    /// The method, `GET` for example.
    pub(crate) method: &'a str,
    /// The path of the target, without query and fragment.
    pub(crate) path: &'a str,
}

/// Reads up to the empty line that ends a head, and stops soon after `limit` bytes.
pub(crate) async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    let mut buffer = [0; 512];
    while head.len() < limit {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        head.extend_from_slice(&buffer[..count]);
        if head.ends_with(b"\r\n\r\n") || head.ends_with(b"\n\n") {
            break;
        }
    }
    Ok(head)
}

impl RequestLine<'_> {
    /// Parses the first line of a head that was read with this `limit`; the error is the refusal to
    /// send.
    pub(crate) fn of(head: &[u8], limit: usize) -> Result<RequestLine<'_>, Response> {
        let bad = || Response::new("400 Bad Request", "this port speaks HTTP\n");
        if head.len() >= limit {
            let status = "431 Request Header Fields Too Large";
            return Err(Response::new(status, "the head is too long\n"));
        }
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = std::str::from_utf8(line).map_err(|_| bad())?;
        let mut words = line.split_ascii_whitespace();
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(bad());
        };
        if !version.starts_with("HTTP/1.") {
            return Err(bad());
        }
        let path = target.split(['?', '#']).next().unwrap_or_default();
        Ok(RequestLine { method, path })
    }
}
