//! Encodes sorted postings with several threads: they take stripes in turn, and the chunks come out
//! in order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::error::Result;
use crate::ids::{PrefixBits, ShortPrefix};

use super::chunk::{Chunk, ChunkEncoder, OutOfOrder, Posting, Tally, TxRange};

/// Postings of a stripe: one thread encodes them before it is the next one's turn. The last chunk
/// of each stripe is not full: half a row is left empty on average, so stripes must be large.
pub const STRIPE_POSTINGS: usize = 1 << 18;
/// Encoded chunks that a thread may hold until its turn comes: about those of one stripe.
const CHUNKS_AHEAD: usize = 340;
/// Memory of a thread that encodes: its chunks, each a row of up to 4 KiB.
pub const ENCODER_BYTES: u64 = CHUNKS_AHEAD as u64 * 4096;

/// Postings in ascending order.
pub trait Sorted {
    /// All the postings.
    fn postings(&self) -> impl Iterator<Item = Posting>;

    /// The first prefix of the next stripe; `None` if this stripe ends with that prefix, or is the
    /// last one.
    fn next(&self) -> Option<ShortPrefix>;
}

/// What a thread hands out, in the order of the postings.
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

/// What an encoder must know of the run that it makes chunks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunShape {
    /// The transactions that it covers.
    pub range: TxRange,
    /// The number of bits of its prefixes.
    pub bits: PrefixBits,
    /// About how many postings will come.
    pub expected: u64,
}

impl RunShape {
    /// An encoder for this run.
    pub fn encoder(self) -> ChunkEncoder {
        ChunkEncoder::new(self.range, self.bits, self.expected)
    }
}

/// The chunks of all stripes, in order: one thread is read to the end of its stripe, then the next.
pub struct InTurn {
    threads: Vec<Receiver<Result<Encoded>>>,
    turn: usize,
}

impl Iterator for InTurn {
    type Item = Result<Encoded>;

    fn next(&mut self) -> Option<Result<Encoded>> {
        // a thread that has ended when its turn comes had no stripe left, so no other has one
        // either
        let encoded = self.threads.get(self.turn)?.recv().ok()?;
        if matches!(encoded, Ok(Encoded::End(..))) {
            self.turn = (self.turn + 1) % self.threads.len();
        }
        Some(encoded)
    }
}

/// Encodes the stripes of a run, with one thread for each of `inputs`. The inputs hold the stripes
/// in turn: the first input has the first stripe, the second input the second one, and so on, round
/// after round. What the threads hand out goes to `consume`; they end when it does.
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

/// Encodes the stripes of one thread. Ends early when the receiver is gone.
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
