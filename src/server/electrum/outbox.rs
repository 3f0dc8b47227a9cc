//! A client's outgoing lines: counted in memory, written with a deadline.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, timeout_at};

use crate::limits::{
    MIN_BYTES_PER_SECOND, PADDED_BYTES_MIN, PADDED_STEP_BYTES, UNCOUNTED_REPLY_BYTES,
    WRITE_CHUNK_BYTES,
};
use crate::metrics;
use crate::server::net::memory::{ByteBudget, HeldBytes};

/// A line to write, with the memory and the slot that it releases once it is written or dropped.
pub(crate) struct Outgoing {
    line: String,
    _held: Option<HeldByReply>,
}

/// What a reply occupies until it is written: memory, and one of the client's slots in flight.
struct HeldByReply {
    _memory: ReplyMemory,
    _in_flight: OwnedSemaphorePermit,
}

impl Outgoing {
    /// A line whose memory is not counted.
    pub(crate) fn plain(line: String) -> Outgoing {
        Outgoing { line, _held: None }
    }

    /// A reply with the memory reserved for it; if there is too little memory, the line that
    /// `instead` makes takes its place. Occupies `in_flight` as well.
    pub(crate) fn reply(
        mut line: String,
        mut memory: ReplyMemory,
        in_flight: OwnedSemaphorePermit,
        instead: impl FnOnce() -> String,
    ) -> Outgoing {
        // keep room for the newline, and give back the rest if the reply came out much shorter than
        // expected, for example a list of coins many of which are being spent
        if line.capacity() - line.len() > line.len() / 8 + 64 {
            line.shrink_to(line.len() + 1);
        }
        if !memory.set(line.capacity()) {
            memory.set(0);
            line = instead();
        }
        Outgoing { line, _held: Some(HeldByReply { _memory: memory, _in_flight: in_flight }) }
    }
}

/// What a reply has reserved of its client's budget and of the shared one, from before it is made.
pub(crate) struct ReplyMemory {
    budgets: [ByteBudget; 2],
    held: [HeldBytes; 2],
}

impl ReplyMemory {
    /// Reserves nothing yet.
    pub(crate) fn new(budgets: [&ByteBudget; 2]) -> ReplyMemory {
        ReplyMemory { budgets: budgets.map(ByteBudget::clone), held: Default::default() }
    }

    /// Changes the reservation to exactly `bytes`; returns false, with no more reserved than
    /// before, if a budget does not have that many.
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        let counted = if bytes > UNCOUNTED_REPLY_BYTES { bytes } else { 0 };
        for held in &mut self.held {
            held.shrink_to(counted);
        }
        let mut both = self.budgets.iter().zip(&mut self.held);
        both.all(|(budget, held)| budget.grow(held, counted))
    }
}

/// Writes lines until the queue's last sender is gone, then closes the stream. If `pads` says so,
/// lines that are ready are written together and padded, so that the length reveals little about
/// them.
///
/// # Errors
/// When the client is gone, or reads nothing for `patience`, or is slower than the slowest reader
/// served.
pub(crate) async fn write_lines(
    mut stream: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Outgoing>,
    patience: Duration,
    pads: impl Fn() -> bool,
) -> io::Result<()> {
    let mut next = None;
    loop {
        let taken = match next.take() {
            Some(taken) => Some(taken),
            None => queue.recv().await,
        };
        let Some(Outgoing { mut line, _held }) = taken else { break };
        let mut held = vec![_held];
        let mut tail = String::from("\n");
        if pads() {
            while line.len() < PADDED_BYTES_MIN
                && let Ok(more) = queue.try_recv()
            {
                if more.line.len() > UNCOUNTED_REPLY_BYTES {
                    next = Some(more);
                    break;
                }
                line.push('\n');
                line.push_str(&more.line);
                held.push(more._held);
            }
            tail = padding(&mut line);
        }
        if line.len() < WRITE_CHUNK_BYTES {
            line.push_str(&tail);
            tail.clear();
        }
        // the tail is written apart, so that a long line is not copied only to be extended
        write_bytes(&mut stream, line.as_bytes(), patience).await?;
        write_bytes(&mut stream, tail.as_bytes(), patience).await?;
    }
    stream.shutdown().await
}

/// Removes the closing bracket, and returns what must be written instead of it: spaces, the
/// bracket, a newline.
fn padding(line: &mut String) -> String {
    let length = line.len() + 1;
    let padded = match length {
        0..=PADDED_STEP_BYTES => length.next_power_of_two().max(PADDED_BYTES_MIN),
        _ => length.next_multiple_of(PADDED_STEP_BYTES),
    };
    let mut tail = " ".repeat(padded.saturating_sub(length));
    tail.extend(line.pop());
    tail.push('\n');
    tail
}

async fn write_bytes(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    patience: Duration,
) -> io::Result<()> {
    let seconds = (bytes.len() / MIN_BYTES_PER_SECOND) as u64;
    let end = Instant::now() + patience + Duration::from_secs(seconds);
    for chunk in bytes.chunks(WRITE_CHUNK_BYTES) {
        let deadline = end.min(Instant::now() + patience);
        match timeout_at(deadline, stream.write_all(chunk)).await {
            Ok(written) => {
                written?;
                metrics::CLIENT_BYTES_WRITTEN.add(chunk.len());
            }
            Err(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "it reads its replies too slowly",
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_padded_before_their_last_bracket() {
        for (length, padded) in [
            (2, 1024),
            (1023, 1024),
            (1024, 2048),
            (40_000, 65_536),
            (65_535, 65_536),
            (65_536, 131_072),
            (1_000_000, 1_048_576),
        ] {
            let whole = format!("[{}]", "7".repeat(length - 2));
            let mut line = whole.clone();
            let tail = padding(&mut line);
            line.push_str(&tail);
            assert_eq!(line.len(), padded, "{length}");
            assert!(line.ends_with("]\n"));
            assert_eq!(line.replace([' ', '\n'], ""), whole);
        }
    }
}
