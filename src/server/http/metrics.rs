//! The port for dashboards and probes: one request, one page, and the connection is closed.

use std::io;
use std::sync::Arc;

use log::debug;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::limits::{BEAT_EVERY, METRICS_CLIENTS, METRICS_HEAD_BYTES, METRICS_TIME};
use crate::server::http::head::{RequestLine, Response, read_head};
use crate::server::http::page::{Facts, Probe};
use crate::server::net::shutdown::Shutdown;

/// The page that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Health,
    Ready,
    Metrics,
}

/// Answers requests until `shutdown`. Clients over the limit wait in the kernel's queue, and none
/// may stay longer than [`METRICS_TIME`].
pub async fn serve_metrics(listener: TcpListener, mut shutdown: Shutdown, facts: Arc<Facts>) {
    let limit = Arc::new(Semaphore::new(METRICS_CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        let next = async {
            let permit = limit.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = shutdown.requested() => return,
            next = next => next,
        };
        let Ok((stream, _)) = accepted else {
            // most likely the process has no file descriptors left
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
    let head = read_head(&mut stream, METRICS_HEAD_BYTES).await?;
    let (response, with_body) = match wanted(&head) {
        Ok((wanted, with_body)) => {
            // making the reply looks at files and takes locks, so it runs on a blocking thread
            let response = spawn_blocking(move || answer(wanted, &facts)).await;
            (response.map_err(io::Error::other)?, with_body)
        }
        Err(refusal) => (refusal, true),
    };
    let Response { status, body } = response;
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
    // reads until the client closes: a socket closed with bytes unread sends a reset, and the
    // client would lose the reply
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

/// The page that a head asks for, and whether to send its body; the error is the refusal to send.
fn wanted(head: &[u8]) -> Result<(Wanted, bool), Response> {
    let line = RequestLine::of(head, METRICS_HEAD_BYTES)?;
    let with_body = match line.method {
        "GET" => true,
        "HEAD" => false,
        _ => return Err(Response::new("405 Method Not Allowed", "GET and HEAD only\n")),
    };
    let wanted = match line.path {
        "/health" => Wanted::Health,
        "/ready" => Wanted::Ready,
        // dashboards ask for / as well as for /metrics
        _ => Wanted::Metrics,
    };
    Ok((wanted, with_body))
}

fn answer(wanted: Wanted, facts: &Facts) -> Response {
    let probe = match wanted {
        Wanted::Metrics => return Response::new("200 OK", facts.metrics()),
        Wanted::Health => facts.health(),
        Wanted::Ready => facts.ready(),
    };
    match probe {
        Probe::Good(text) => Response::new("200 OK", text + "\n"),
        Probe::Bad(text) => Response::new("503 Service Unavailable", text + "\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(head: &str) -> Option<&'static str> {
        wanted(head.as_bytes()).err().map(|refusal| &refusal.status[..3])
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
