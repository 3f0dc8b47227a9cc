//! Writes a run: encodes sorted postings and puts the chunks into the run's table, in one
//! transaction or in several.

use std::iter::Peekable;

use crate::error::Result;
use crate::ids::ShortPrefix;
use crate::index::chunk::{Chunk, ChunkEncoder, OutOfOrder, Posting, Tally};
use crate::index::encoders::{Encoded, RunShape};
use crate::index::rows::RowTable;

use super::error::damaged;
use super::open::Db;
use super::records::RunInfo;
use super::stream::STREAM_ROWS;
use super::write::Change;

/// Fills a run with chunks within one transaction.
struct ChunkWriter<'a, 'b> {
    change: &'b Change<'a>,
    run: RunInfo,
}

impl<'a, 'b> ChunkWriter<'a, 'b> {
    fn new(change: &'b Change<'a>, run: RunInfo) -> Self {
        ChunkWriter { change, run }
    }

    /// Stores the next chunk behind the last one, and links it to that.
    fn put(&mut self, chunk: Chunk) -> Result<()> {
        let Some((key, row)) = chunk.seal(RowTable::of_run(self.run.id), self.run.last) else {
            return Err(self.does_not_fit("a chunk out of order"));
        };
        self.run.last = key;
        self.run.bytes += row.len() as u64;
        self.change.put_chunk(self.run.id, key, &row)
    }

    /// Notes how far the run is filled: up to prefix `resume`, or, with `None`, to its end. At its
    /// end it must hold exactly the postings that were wanted.
    fn finish(mut self, resume: Option<ShortPrefix>) -> Result<RunInfo> {
        if resume.is_none() && self.run.written != self.run.wanted {
            return Err(self.does_not_fit("postings that are not those of its sources"));
        }
        self.run.complete = resume.is_none();
        self.run.resume = resume.unwrap_or_default();
        self.change.update_run(&self.run)?;
        Ok(self.run)
    }

    fn does_not_fit(&self, why: &str) -> crate::error::Error {
        let RunInfo { id, written, wanted, .. } = self.run;
        damaged(
            self.change.path(),
            format_args!(
                "run {id} ({why}; {} postings came, {} were wanted), or a run that it is made of,",
                written.postings, wanted.postings
            ),
        )
    }
}

/// Fills a run with postings that come one by one, within one transaction.
pub struct RunWriter<'a, 'b> {
    chunks: ChunkWriter<'a, 'b>,
    encoder: ChunkEncoder,
}

impl<'a, 'b> RunWriter<'a, 'b> {
    /// A writer that begins `run`, or goes on where it stopped.
    pub fn new(change: &'b Change<'a>, run: RunInfo) -> Self {
        let shape = change.shape_of(&run);
        RunWriter { chunks: ChunkWriter::new(change, run), encoder: shape.encoder() }
    }

    /// Takes the next posting.
    #[inline]
    pub fn push(&mut self, posting: Posting) -> Result<()> {
        self.chunks.run.written.add(posting);
        match self.encoder.push(posting) {
            Ok(Some(chunk)) => self.chunks.put(chunk),
            Ok(None) => Ok(()),
            Err(why) => Err(self.chunks.does_not_fit(&why.to_string())),
        }
    }

    /// Bytes of the chunks so far.
    pub fn bytes(&self) -> u64 {
        self.chunks.run.bytes
    }

    /// Writes the postings that are not stored yet, and returns the run as it then is. `resume` is
    /// the prefix at which it goes on later; `None` if it is at its end.
    pub fn finish(mut self, resume: Option<ShortPrefix>) -> Result<RunInfo> {
        for chunk in self.encoder.finish() {
            self.chunks.put(chunk)?;
        }
        self.chunks.finish(resume)
    }
}

/// Fills the empty run `target` with everything in `encoded`.
pub fn fill(
    change: &Change<'_>,
    target: RunInfo,
    mut encoded: impl Iterator<Item = Result<Encoded>>,
) -> Result<RunInfo> {
    put_slice(change, target, &mut encoded, u64::MAX)
}

/// Fills the unfinished run `target` of database `into` from `encoded`, which must begin at
/// `target.resume`. Each slice of about `slice_bytes` is a transaction of its own, and ends between
/// two prefixes; after each but the last `may_go_on` is asked. The run that comes back is complete,
/// but the runs that it replaces are still there.
pub fn fill_in_slices(
    into: &Db,
    mut target: RunInfo,
    mut encoded: impl Iterator<Item = Result<Encoded>>,
    slice_bytes: u64,
    mut may_go_on: impl FnMut() -> Result<()>,
) -> Result<RunInfo> {
    loop {
        let change = into.change()?;
        target = put_slice(&change, target, &mut encoded, slice_bytes)?;
        change.commit()?;
        if target.complete {
            return Ok(target);
        }
        may_go_on()?;
    }
}

fn put_slice(
    change: &Change<'_>,
    target: RunInfo,
    encoded: &mut impl Iterator<Item = Result<Encoded>>,
    slice_bytes: u64,
) -> Result<RunInfo> {
    let mut writer = ChunkWriter::new(change, target);
    let slice_end = target.bytes.saturating_add(slice_bytes);
    for piece in encoded {
        match piece? {
            Encoded::Chunk(chunk) => writer.put(chunk)?,
            Encoded::OutOfOrder => return Err(writer.does_not_fit(&OutOfOrder.to_string())),
            Encoded::End(tally, next) => {
                writer.run.written = writer.run.written.plus(tally);
                if next.is_some() && writer.run.bytes >= slice_end {
                    return writer.finish(next);
                }
            }
        }
    }
    writer.finish(None)
}

/// Writes one slice of postings that come one by one, in a transaction that the caller commits. The
/// run is complete when `postings` have come to their end.
pub fn fill_slice(
    change: &Change<'_>,
    target: RunInfo,
    postings: &mut Peekable<impl Iterator<Item = Result<Posting>>>,
    slice_bytes: u64,
) -> Result<RunInfo> {
    let mut writer = RunWriter::new(change, target);
    let slice_end = target.bytes.saturating_add(slice_bytes);
    let mut last: Option<ShortPrefix> = None;
    while let Some(Ok(posting)) = postings.peek().map(Result::as_ref) {
        let posting = *posting;
        if writer.bytes() >= slice_end && last != Some(posting.prefix) {
            return writer.finish(Some(posting.prefix));
        }
        writer.push(posting)?;
        last = Some(posting.prefix);
        postings.next();
    }
    match postings.next() {
        Some(Err(error)) => Err(error),
        _ => writer.finish(None),
    }
}

impl Change<'_> {
    /// How the chunks of a run are encoded.
    pub fn shape_of(&self, run: &RunInfo) -> RunShape {
        let expected = run.wanted.postings;
        RunShape { range: run.range, bits: self.prefix_bits(), expected }
    }
}

impl Db {
    /// The tally that a run made of `sources` must have.
    pub fn tally_of_all(&self, sources: &[RunInfo]) -> Result<Tally> {
        let mut all = Tally::default();
        for run in sources {
            all = all.plus(self.tally_of(run)?);
        }
        Ok(all)
    }

    /// The tally of those postings of a run that count. If blocks were disconnected, it is not
    /// stored: the run is read to count what is left.
    fn tally_of(&self, run: &RunInfo) -> Result<Tally> {
        if !run.cut {
            return Ok(run.written);
        }
        let mut tally = Tally::default();
        for posting in self.stream(*run, ShortPrefix(0), STREAM_ROWS) {
            tally.add(posting?);
        }
        Ok(tally)
    }
}
