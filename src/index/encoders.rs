//! Sorted postings encoded by several threads, stripe by stripe in turn; the chunks come out in
//! order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::error::Result;
use crate::ids::{PrefixBits, ShortPrefix};

use super::chunk::{Chunk, ChunkEncoder, OutOfOrder, Posting, Tally, TxRange};

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
    fn next(&self) -> Option<ShortPrefix>;
}

/// What comes out, in the order of the postings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoded {
    /// A chunk.
    Chunk(Chunk),
    /// The end of a stripe: the tally of its postings, and the prefix that follows it; see
    /// [`Sorted::next`].
    End(Tally, Option<ShortPrefix>),
    /// A posting that does not follow the one before, which only a damaged source can lead to.
    OutOfOrder,
}

/// The run that is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunShape {
    /// The transactions that it covers.
    pub range: TxRange,
    /// How long its prefixes are.
    pub bits: PrefixBits,
    /// About how many postings will come.
    pub expected: u64,
}

impl RunShape {
    /// An encoder for such a run.
    pub fn encoder(self) -> ChunkEncoder {
        ChunkEncoder::new(self.range, self.bits, self.expected)
    }
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

/// Encodes the stripes of a run, one thread for each of `inputs`: the first stripe is from the
/// first of them, the second from the second, and so on in turn. What comes out goes to `consume`;
/// the threads end when it does.
pub fn encode_in_turn<B, I, R>(
    shape: RunShape,
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
            scope.spawn(move || encode_all(shape, stripes, &sender));
            receiver
        };
        let threads = inputs.into_iter().map(start).collect();
        consume(InTurn { threads, turn: 0 })
    })
}

/// Ends early when nobody takes what is sent.
fn encode_all<B: Sorted>(
    shape: RunShape,
    stripes: impl IntoIterator<Item = Result<B>>,
    to: &SyncSender<Result<Encoded>>,
) {
    for stripe in stripes {
        let sent = match stripe {
            Ok(stripe) => encode(shape, &stripe, to),
            Err(error) => to.send(Err(error)).ok(),
        };
        if sent.is_none() {
            return;
        }
    }
}

fn encode(shape: RunShape, stripe: &impl Sorted, to: &SyncSender<Result<Encoded>>) -> Option<()> {
    let mut encoder = shape.encoder();
    let mut tally = Tally::default();
    for posting in stripe.postings() {
        tally.add(posting);
        match encoder.push(posting) {
            Ok(None) => {}
            Ok(Some(chunk)) => to.send(Ok(Encoded::Chunk(chunk))).ok()?,
            Err(OutOfOrder) => return to.send(Ok(Encoded::OutOfOrder)).ok(),
        }
    }
    for chunk in encoder.finish() {
        to.send(Ok(Encoded::Chunk(chunk))).ok()?;
    }
    to.send(Ok(Encoded::End(tally, stripe.next()))).ok()
}
