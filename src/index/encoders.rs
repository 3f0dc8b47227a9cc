//! Sorted postings encoded by several threads, stripe by stripe in turn; the chunks come out in
//! order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::error::Result;
use crate::ids::Prefix;

use super::chunk::{Chunk, ChunkEncoder, Posting, TxRange};

/// Postings of a stripe: what one thread encodes before it is the next one's turn. Each stripe ends
/// with a chunk that is not full, half a page on average, so that stripes must be large.
pub const STRIPE_POSTINGS: usize = 1 << 18;
/// Chunks that a thread may be ahead: those of a stripe.
const CHUNKS_AHEAD: usize = 340;
/// Memory of a thread that encodes: chunks of a page each.
pub const ENCODER_BYTES: u64 = CHUNKS_AHEAD as u64 * 4096;

/// Postings in ascending order.
pub trait Sorted {
    /// All of them.
    fn postings(&self) -> impl Iterator<Item = Posting>;

    /// The prefix of the next stripe; `None` if this one ends with the same, or there is none.
    fn next(&self) -> Option<Prefix>;
}

/// What comes out, in the order of the postings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// A chunk; its number is that within its stripe.
    Chunk(Chunk),
    /// The end of a stripe of so many postings, and the prefix that follows; see [`Sorted::next`].
    End(u64, Option<Prefix>),
}

/// Chunks of all stripes, in order.
pub struct InTurn {
    threads: Vec<Receiver<Result<Encoded>>>,
    turn: usize,
}

impl Iterator for InTurn {
    type Item = Result<Encoded>;

    fn next(&mut self) -> Option<Result<Encoded>> {
        // a thread whose turn it is and that has ended had no more stripes, nor has any other
        let encoded = self.threads.get(self.turn)?.recv().ok()?;
        if matches!(encoded, Ok(Encoded::End(..))) {
            self.turn = (self.turn + 1) % self.threads.len();
        }
        Some(encoded)
    }
}

/// Encodes the stripes of a run over `range` of about `expected` postings, one thread for each of
/// `inputs`: the first stripe is from the first of them, the second from the second, and so on in
/// turn. What comes out goes to `consume`; the threads end when it does.
pub fn encode_in_turn<B, I, R>(
    range: TxRange,
    expected: u64,
    inputs: Vec<I>,
    consume: impl FnOnce(InTurn) -> R,
) -> R
where
    B: Sorted,
    I: IntoIterator<Item = Result<B>> + Send,
{
    thread::scope(|scope| {
        let start = |stripes: I| {
            let (sender, receiver) = sync_channel(CHUNKS_AHEAD);
            scope.spawn(move || encode_all(range, expected, stripes, &sender));
            receiver
        };
        let threads = inputs.into_iter().map(start).collect();
        consume(InTurn { threads, turn: 0 })
    })
}

/// Ends early when nobody takes what is sent.
fn encode_all<B: Sorted>(
    range: TxRange,
    expected: u64,
    stripes: impl IntoIterator<Item = Result<B>>,
    to: &SyncSender<Result<Encoded>>,
) {
    for stripe in stripes {
        let sent = match stripe {
            Ok(stripe) => encode(range, expected, &stripe, to),
            Err(error) => to.send(Err(error)).ok(),
        };
        if sent.is_none() {
            return;
        }
    }
}

fn encode(
    range: TxRange,
    expected: u64,
    stripe: &impl Sorted,
    to: &SyncSender<Result<Encoded>>,
) -> Option<()> {
    let mut encoder = ChunkEncoder::new(range, expected);
    let mut count = 0;
    for posting in stripe.postings() {
        count += 1;
        if let Some(chunk) = encoder.push(posting) {
            to.send(Ok(Encoded::Chunk(chunk))).ok()?;
        }
    }
    for chunk in encoder.finish() {
        to.send(Ok(Encoded::Chunk(chunk))).ok()?;
    }
    to.send(Ok(Encoded::End(count, stripe.next()))).ok()
}
