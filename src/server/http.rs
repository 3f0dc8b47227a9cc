//! The port for dashboards and probes: a request line in, one page out, the connection closed.

use std::io;
use std::sync::Arc;

use log::{debug, info};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::limits::{BEAT_EVERY, METRICS_CLIENTS, METRICS_HEAD_BYTES, METRICS_TIME};
use crate::server::page::{Facts, Probe};
use crate::server::shutdown::Shutdown;

/// What is asked for, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Health,
    Ready,
    Metrics,
}

/// A status line's end, and the body.
type Reply = (&'static str, String);

/// Answers until `shutdown`. Clients over the limit wait in the kernel's queue, and none may stay
/// longer than [`METRICS_TIME`].
pub async fn run(listener: TcpListener, mut shutdown: Shutdown, facts: Arc<Facts>) {
    if let Ok(address) = listener.local_addr() {
        info!("serving metrics on http://{address}/metrics");
    }
    let room = Arc::new(Semaphore::new(METRICS_CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        let next = async {
            let permit = room.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = shutdown.requested() => return,
            next = next => next,
        };
        let Ok((stream, _)) = accepted else {
            // out of file descriptors, most likely
            sleep(BEAT_EVERY).await;
            continue;
        };
        let facts = facts.clone();
        clients.spawn(async move {
            match timeout(METRICS_TIME, serve(stream, facts)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => debug!("metrics: {error}"),
                Err(_) => debug!("metrics: a client took too long"),
            }
            drop(permit);
        });
    }
}

async fn serve(mut stream: TcpStream, facts: Arc<Facts>) -> io::Result<()> {
    let head = read_head(&mut stream).await?;
    let (reply, with_body) = match wanted(&head) {
        Ok((wanted, with_body)) => {
            // looks at files and takes locks
            let reply = spawn_blocking(move || answer(wanted, &facts)).await;
            (reply.map_err(io::Error::other)?, with_body)
        }
        Err(reply) => (reply, true),
    };
    let (status, body) = reply;
    let mut text = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
        body.len()
    );
    if with_body {
        text.push_str(&body);
    }
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    // until the other side closes, too: bytes left unread would take the reply back
    let mut rest = [0; 512];
    let mut left = METRICS_HEAD_BYTES;
    while left > 0 {
        match stream.read(&mut rest).await? {
            0 => break,
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}

/// Reads up to the empty line, or as much as is looked at.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(512);
    let mut buffer = [0; 512];
    while head.len() < METRICS_HEAD_BYTES {
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

/// What a head asks for, and whether with a body; or the refusal.
fn wanted(head: &[u8]) -> Result<(Wanted, bool), Reply> {
    let bad = || ("400 Bad Request", "this port speaks HTTP\n".to_owned());
    if head.len() >= METRICS_HEAD_BYTES {
        return Err(("431 Request Header Fields Too Large", "the head is too long\n".to_owned()));
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
    let with_body = match method {
        "GET" => true,
        "HEAD" => false,
        _ => return Err(("405 Method Not Allowed", "GET and HEAD only\n".to_owned())),
    };
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let wanted = match path {
        "/health" => Wanted::Health,
        "/ready" => Wanted::Ready,
        // dashboards ask for / as well as for /metrics
        _ => Wanted::Metrics,
    };
    Ok((wanted, with_body))
}

fn answer(wanted: Wanted, facts: &Facts) -> Reply {
    let probe = match wanted {
        Wanted::Metrics => return ("200 OK", facts.metrics()),
        Wanted::Health => facts.health(),
        Wanted::Ready => facts.ready(),
    };
    match probe {
        Probe::Good(text) => ("200 OK", text + "\n"),
        Probe::Bad(text) => ("503 Service Unavailable", text + "\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(head: &str) -> Option<&'static str> {
        wanted(head.as_bytes()).err().map(|(status, _)| &status[..3])
    }

    #[test]
    fn only_get_and_head_in_plain_http_1_are_answered() {
        let good = |head: &str| wanted(head.as_bytes()).ok();
        assert_eq!(good("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Some((Wanted::Metrics, true)));
        assert_eq!(good("GET /metrics HTTP/1.0\n\n"), Some((Wanted::Metrics, true)));
        assert_eq!(good("GET /health?x=1 HTTP/1.1\r\n\r\n"), Some((Wanted::Health, true)));
        assert_eq!(good("HEAD /ready HTTP/1.1\r\n\r\n"), Some((Wanted::Ready, false)));
        assert_eq!(refusal("POST / HTTP/1.1\r\n\r\n"), Some("405"));
        for bad in ["", "\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/2 x\r\n", "GET / SPDY/1\r\n"] {
            assert_eq!(refusal(bad), Some("400"), "{bad:?}");
        }
        assert_eq!(refusal("{\"id\":0,\"method\":\"server.ping\"}\n"), Some("400"));
        assert_eq!(refusal(&"a".repeat(METRICS_HEAD_BYTES)), Some("431"));
        assert!(wanted(b"GET /\xff HTTP/1.1\r\n\r\n").is_err());
    }
}
