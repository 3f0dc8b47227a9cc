//! A client's lines on their way out: counted in memory, written with a deadline.

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

/// A line to write; what it holds is given back once it is written or dropped.
pub(crate) struct Outgoing {
    line: String,
    _held: Option<HeldByReply>,
}

/// What a reply holds until it is written.
struct HeldByReply {
    _memory: ReplyMemory,
    _in_flight: OwnedSemaphorePermit,
}

impl Outgoing {
    /// A line that needs no counting.
    pub(crate) fn plain(line: String) -> Outgoing {
        Outgoing { line, _held: None }
    }

    /// A reply with the memory that is held for it, or the line of `instead` where there is too
    /// little memory. Holds `in_flight` as well.
    pub(crate) fn reply(
        mut line: String,
        mut memory: ReplyMemory,
        in_flight: OwnedSemaphorePermit,
        instead: impl FnOnce() -> String,
    ) -> Outgoing {
        // keeps room for the newline, and gives back the rest where the reply came out much shorter
        // than was expected, such as a list of coins many of which are being spent
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

/// What a reply holds of its client's budget and of everyone's, from before it is made.
pub(crate) struct ReplyMemory {
    budgets: [ByteBudget; 2],
    held: [HeldBytes; 2],
}

impl ReplyMemory {
    /// Holds nothing yet.
    pub(crate) fn new(budgets: [&ByteBudget; 2]) -> ReplyMemory {
        ReplyMemory { budgets: budgets.map(ByteBudget::clone), held: Default::default() }
    }

    /// Holds exactly `bytes` from now on; false if a budget does not have them, and then no more is
    /// held than before.
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        let counted = if bytes > UNCOUNTED_REPLY_BYTES { bytes } else { 0 };
        for held in &mut self.held {
            held.shrink_to(counted);
        }
        let mut both = self.budgets.iter().zip(&mut self.held);
        both.all(|(budget, held)| budget.grow(held, counted))
    }
}

/// Writes lines until the queue's last sender is gone, then closes the stream. Where the client
/// `pads`, what is ready goes out together, and its length says little of what it is.
///
/// # Errors
/// When the client is gone, or takes nothing for `patience`, or is slower than the slowest
/// reader served.
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
        // a long line is not copied for the sake of its end
        write_bytes(&mut stream, line.as_bytes(), patience).await?;
        write_bytes(&mut stream, tail.as_bytes(), patience).await?;
    }
    stream.shutdown().await
}

/// Takes the last bracket off and gives what is to be written instead: spaces, it, a newline.
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
