//! Writing a run: sorted postings in, chunks into its table, in as many transactions as it takes.

use std::iter::Peekable;

use crate::error::Result;
use crate::ids::Prefix;
use crate::index::chunk::{Chunk, ChunkEncoder, ChunkKey, Posting};
use crate::index::encoders::Encoded;

use super::open::Db;
use super::tables::RunInfo;
use super::write::Change;

/// Fills a run with chunks within one transaction.
struct ChunkWriter<'a, 'b> {
    change: &'b Change<'a>,
    run: RunInfo,
    last: Option<ChunkKey>,
}

impl<'a, 'b> ChunkWriter<'a, 'b> {
    fn new(change: &'b Change<'a>, run: RunInfo) -> Self {
        ChunkWriter { change, run, last: None }
    }

    /// Stores the next chunk; one that goes on with the prefix of the last one gets the next
    /// number, whatever number it came with.
    fn put(&mut self, mut chunk: Chunk) -> Result<()> {
        if let Some(last) = self.last.filter(|last| chunk.key <= *last) {
            assert!(chunk.key.prefix() == last.prefix(), "chunks out of order");
            chunk.refile(last.after(last.prefix()));
        }
        self.last = Some(chunk.key);
        self.run.bytes += chunk.bytes.len() as u64;
        self.change.put_chunk(self.run.id, &chunk)
    }

    fn finish(mut self, resume: Option<Prefix>) -> Result<RunInfo> {
        self.run.complete = resume.is_none();
        self.run.resume = resume.unwrap_or(Prefix(0));
        self.change.update_run(&self.run)?;
        Ok(self.run)
    }
}

/// Fills a run within one transaction.
pub struct RunWriter<'a, 'b> {
    chunks: ChunkWriter<'a, 'b>,
    encoder: ChunkEncoder,
}

impl<'a, 'b> RunWriter<'a, 'b> {
    /// Begins, or goes on behind, `run`; `expected` is about how many postings will come.
    pub fn new(change: &'b Change<'a>, run: RunInfo, expected: u64) -> Self {
        let encoder = ChunkEncoder::new(run.range, expected);
        RunWriter { chunks: ChunkWriter::new(change, run), encoder }
    }

    /// Takes the next posting.
    #[inline]
    pub fn push(&mut self, posting: Posting) -> Result<()> {
        self.chunks.run.postings += 1;
        match self.encoder.push(posting) {
            Some(chunk) => self.chunks.put(chunk),
            None => Ok(()),
        }
    }

    /// Bytes of the chunks so far.
    pub fn bytes(&self) -> u64 {
        self.chunks.run.bytes
    }

    /// Writes what is held back; the run as it now stands comes back.
    pub fn finish(mut self, resume: Option<Prefix>) -> Result<RunInfo> {
        for chunk in self.encoder.finish() {
            self.chunks.put(chunk)?;
        }
        self.chunks.finish(resume)
    }
}

/// Fills the empty run `target` with all that comes.
pub fn fill(
    change: &Change<'_>,
    target: RunInfo,
    mut encoded: impl Iterator<Item = Result<Encoded>>,
) -> Result<RunInfo> {
    put_slice(change, target, &mut encoded, u64::MAX)
}

/// Fills the unfinished run `target` of `into` in slices of about `slice_bytes`, each in a
/// transaction of its own; a slice ends between two prefixes, and then `may_go_on` is asked. The
/// finished run is complete, but what it replaces is still there. What comes must start at
/// `target.resume`.
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
            Encoded::End(postings, next) => {
                writer.run.postings += postings;
                if next.is_some() && writer.run.bytes >= slice_end {
                    return writer.finish(next);
                }
            }
        }
    }
    writer.finish(None)
}

/// One slice of postings that come one by one, in a transaction that the caller commits; the run
/// is complete when `postings` have come to their end.
pub fn fill_slice(
    change: &Change<'_>,
    target: RunInfo,
    postings: &mut Peekable<impl Iterator<Item = Result<Posting>>>,
    expected: u64,
    slice_bytes: u64,
) -> Result<RunInfo> {
    let mut writer = RunWriter::new(change, target, expected);
    let slice_end = target.bytes + slice_bytes;
    let mut last: Option<Prefix> = None;
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
