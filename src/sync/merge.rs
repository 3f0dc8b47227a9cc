//! Several runs to one, in slices that can be taken up again after any interruption.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender, sync_channel};
use std::{thread, vec};

use crate::error::Result;
use crate::ids::Prefix;
use crate::index::chunk::{Posting, TxRange};
use crate::index::merge::Merge;
use crate::store::open::Db;
use crate::store::run::fill_in_slices;
use crate::store::stream::RunStream;
use crate::store::tables::{RunInfo, RunKind};

use super::batch::empty_run;

/// Postings that go from the reading to the writing thread at once, 16 bytes each.
const BLOCK_POSTINGS: usize = 4096;
/// Such blocks that may wait: a quarter of a mebibyte.
const BLOCKS_AHEAD: usize = 4;

/// How much a merge takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Pages read of each run at once.
    pub pages_at_once: usize,
    /// Bytes written in one transaction.
    pub slice_bytes: u64,
}

/// The runs that a merge to `target` reads, in order of their transactions; `None` if those in
/// force do not cover exactly its range.
pub fn sources_of(target: &RunInfo, in_force: &[RunInfo]) -> Option<Vec<RunInfo>> {
    let range = target.range;
    let of_kind = in_force.iter().filter(|run| run.kind == target.kind && run.id != target.id);
    let inside = |run: &&RunInfo| range.first <= run.range.first && run.range.end <= range.end;
    let sources: Vec<RunInfo> = of_kind.filter(inside).copied().collect();
    let mut covered = range.first;
    for run in &sources {
        if run.range.first != covered {
            return None;
        }
        covered = run.range.end;
    }
    (covered == range.end && !sources.is_empty()).then_some(sources)
}

/// Merges complete runs of one kind that lie side by side in `from` into a run in `into`, another
/// database. A thread of its own reads and decodes, this one encodes and writes. Goes on where an
/// earlier merge of the same range stopped. The sources stay; the new run is complete but the
/// caller decides when it is in force. `merged` grows by the postings that are done, those of the
/// earlier merge too; before each slice `may_go_on` is asked.
pub fn merge_runs(
    from: &mut Db,
    sources: &[RunInfo],
    into: &Db,
    (kind, range): (RunKind, TxRange),
    pace: Pace,
    merged: &AtomicU64,
    mut may_go_on: impl FnMut() -> Result<()>,
) -> Result<RunInfo> {
    let begun = into.runs()?.into_iter().find(|run| run.kind == kind && run.range == range);
    merged.fetch_add(begun.map_or(0, |run| run.postings), Ordering::Relaxed);
    let target = match begun {
        Some(run) if run.complete => return Ok(run),
        Some(run) => run,
        None => {
            let change = into.change()?;
            let id = change.create_run(kind, range)?;
            change.commit()?;
            empty_run(id, kind, range)
        }
    };
    let start = Prefix(target.resume);
    let expected = sources.iter().map(|run| run.postings).sum();
    may_go_on()?;
    thread::scope(|scope| {
        let (blocks, ahead) = sync_channel(BLOCKS_AHEAD);
        scope.spawn(move || {
            let runs = sources.iter().map(|run| from.stream(*run, start, pace.pages_at_once));
            let sent = send_merged(runs.collect(), &blocks);
            // nobody listens any more if the other side has failed or was told to stop
            let _ = sent.or_else(|error| blocks.send(Err(error)));
        });
        let ahead = Ahead { blocks: ahead.into_iter(), block: Vec::new().into_iter(), merged };
        fill_in_slices(into, target, ahead, expected, pace.slice_bytes, may_go_on)
    })
}

/// Sends the postings of all streams in order; ends early when nobody takes them.
fn send_merged(streams: Vec<RunStream<'_>>, to: &SyncSender<Result<Vec<Posting>>>) -> Result<()> {
    let mut merged = Merge::new(streams)?;
    loop {
        let block = merged.by_ref().take(BLOCK_POSTINGS).collect::<Result<Vec<Posting>>>()?;
        if block.is_empty() || to.send(Ok(block)).is_err() {
            return Ok(());
        }
    }
}

/// Postings that another thread has merged.
struct Ahead<'a> {
    blocks: mpsc::IntoIter<Result<Vec<Posting>>>,
    block: vec::IntoIter<Posting>,
    /// Counts them.
    merged: &'a AtomicU64,
}

impl Iterator for Ahead<'_> {
    type Item = Result<Posting>;

    fn next(&mut self) -> Option<Result<Posting>> {
        loop {
            if let Some(posting) = self.block.next() {
                return Some(Ok(posting));
            }
            match self.blocks.next()? {
                Ok(block) => {
                    self.merged.fetch_add(block.len() as u64, Ordering::Relaxed);
                    self.block = block.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
