//! Writing a run: sorted postings in, chunks into its table, in as many transactions as it takes.

use std::iter::Peekable;

use crate::error::Result;
use crate::ids::Prefix;
use crate::index::chunk::{Chunk, ChunkEncoder, Posting};

use super::open::Db;
use super::tables::RunInfo;
use super::write::Change;

/// Fills a run within one transaction.
pub struct RunWriter<'a, 'b> {
    change: &'b Change<'a>,
    run: RunInfo,
    encoder: ChunkEncoder,
}

impl<'a, 'b> RunWriter<'a, 'b> {
    /// Begins, or goes on behind, `run`; `expected` is about how many postings will come.
    pub fn new(change: &'b Change<'a>, run: RunInfo, expected: u64) -> Self {
        RunWriter { change, run, encoder: ChunkEncoder::new(run.range, expected) }
    }

    /// Takes the next posting.
    #[inline]
    pub fn push(&mut self, posting: Posting) -> Result<()> {
        self.run.postings += 1;
        match self.encoder.push(posting) {
            Some(chunk) => self.put(&chunk),
            None => Ok(()),
        }
    }

    /// Bytes of the chunks so far.
    pub fn bytes(&self) -> u64 {
        self.run.bytes
    }

    /// Writes what is held back; the run as it now stands comes back.
    pub fn finish(mut self, resume: Option<Prefix>) -> Result<RunInfo> {
        let encoder = std::mem::replace(&mut self.encoder, ChunkEncoder::new(self.run.range, 1));
        for chunk in encoder.finish() {
            self.put(&chunk)?;
        }
        self.run.complete = resume.is_none();
        self.run.resume = resume.map_or(0, |prefix| prefix.0);
        self.change.update_run(&self.run)?;
        Ok(self.run)
    }

    fn put(&mut self, chunk: &Chunk) -> Result<()> {
        self.run.bytes += chunk.bytes.len() as u64;
        self.change.put_chunk(self.run.id, chunk)
    }
}

/// Fills the unfinished run `target` of `into` from `postings` in slices of about `slice_bytes`,
/// each in a transaction of its own; a slice ends between two prefixes, and then `may_go_on` is
/// asked. The finished run is complete, but what it replaces is still there. `postings` must start
/// at `target.resume`.
pub fn fill_in_slices(
    into: &Db,
    mut target: RunInfo,
    postings: impl Iterator<Item = Result<Posting>>,
    expected: u64,
    slice_bytes: u64,
    mut may_go_on: impl FnMut() -> Result<()>,
) -> Result<RunInfo> {
    let mut postings = postings.peekable();
    loop {
        let change = into.change()?;
        target = fill_slice(&change, target, &mut postings, expected, slice_bytes)?;
        change.commit()?;
        if target.complete {
            return Ok(target);
        }
        may_go_on()?;
    }
}

/// One such slice, in a transaction that the caller commits; the run is complete when `postings`
/// have come to their end.
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
