//! Several runs to one, in slices that can be taken up again after any interruption.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::error::Result;
use crate::index::chunk::TxRange;
use crate::index::encoders::{BLOCK_POSTINGS, ENCODER_BYTES, Encoded, RunShape, encode_in_turn};
use crate::index::rounds::{Block, Rounds};
use crate::store::open::Db;
use crate::store::run::fill_in_slices;
use crate::store::stream::RunStream;
use crate::store::tables::{RunInfo, RunKind};


/// Threads that encode: more than two would wait for the one that merges.
const ENCODERS_MAX: usize = 2;
/// Memory of a merge beside what its streams hold: postings decoded ahead, sorted, what sorting
/// takes, and a block in the making; a block and its chunks with each thread that encodes.
pub const MERGE_BYTES: u64 = 4 * 8 * BLOCK_POSTINGS as u64
    + ENCODERS_MAX as u64 * (8 * BLOCK_POSTINGS as u64 + ENCODER_BYTES);

/// How much a merge takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Pages read of each run at once.
    pub pages_at_once: usize,
    /// Bytes written in one transaction.
    pub slice_bytes: u64,
    /// Cores that may be used.
    pub threads: usize,
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
/// database. A thread of its own reads, decodes and sorts, others encode, this one writes. Goes on
/// where an earlier merge of the same range stopped. The sources stay; the new run is complete but
/// the caller decides when it is in force. `merged` grows by the postings that are done, those of
/// the earlier merge too; before each slice `may_go_on` is asked.
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
    merged.fetch_add(begun.map_or(0, |run| run.written.postings), Ordering::Relaxed);
    let target = match begun {
        Some(run) if run.complete => return Ok(run),
        Some(run) => run,
        None => {
            let wanted = from.tally_of_all(sources)?;
            let change = into.change()?;
            let run = change.create_run(kind, range, wanted)?;
            change.commit()?;
            run
        }
    };
    let start = target.resume;
    let shape = RunShape { range, bits: into.prefix_bits(), expected: target.wanted.postings };
    let block_postings = block_postings(pace.slice_bytes);
    may_go_on()?;
    thread::scope(|scope| {
        let (senders, inputs): (Vec<_>, Vec<_>) =
            (0..pace.threads.clamp(1, ENCODERS_MAX)).map(|_| sync_channel(0)).unzip();
        scope.spawn(move || {
            let runs = sources.iter().map(|run| from.stream(*run, start, pace.pages_at_once));
            send_merged(runs.collect(), block_postings, &senders);
        });
        encode_in_turn(shape, inputs, |encoded| {
            let counted = encoded.inspect(|piece| {
                if let Ok(Encoded::End(tally, _)) = piece {
                    merged.fetch_add(tally.postings, Ordering::Relaxed);
                }
            });
            fill_in_slices(into, target, counted, pace.slice_bytes, may_go_on)
        })
    })
}

/// Small slices are made of small blocks.
fn block_postings(slice_bytes: u64) -> usize {
    usize::try_from(slice_bytes / 8).map_or(BLOCK_POSTINGS, |most| most.clamp(1, BLOCK_POSTINGS))
}

/// Sends what all streams hold, in turn; ends early when nobody takes it.
fn send_merged(
    streams: Vec<RunStream<'_>>,
    block_postings: usize,
    to: &[SyncSender<Result<Block>>],
) {
    let mut turns = to.iter().cycle();
    let mut send = |block| turns.next().is_some_and(|turn| turn.send(block).is_ok());
    match Rounds::new(streams, block_postings) {
        Ok(mut blocks) => while blocks.next().is_some_and(&mut send) {},
        Err(error) => {
            let _ = send(Err(error));
        }
    }
}
