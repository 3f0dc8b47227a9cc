//! Merges several runs into one, in slices, so that after any interruption the merge goes on behind
//! the last slice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::error::Result;
use crate::index::chunk::TxRange;
use crate::index::encoders::{ENCODER_BYTES, Encoded, RunShape, STRIPE_POSTINGS, encode_in_turn};
use crate::index::rounds::{Rounds, Stripe};
use crate::store::open::Db;
use crate::store::records::{RunInfo, RunKind};
use crate::store::run::fill_in_slices;
use crate::store::stream::RunStream;

use super::pace::DiskPace;

/// Most threads that encode: more would wait for the thread that merges.
const ENCODERS_MAX: usize = 2;
/// Memory of a merge beside that of its streams. Four stripes' worth of postings: decoded ahead,
/// sorted, moved while sorting, and the stripe in the making. And for each thread that encodes, a
/// stripe and its chunks.
pub const MERGE_BYTES: u64 = 4 * 8 * STRIPE_POSTINGS as u64
    + ENCODERS_MAX as u64 * (8 * STRIPE_POSTINGS as u64 + ENCODER_BYTES);

/// A merge of complete runs of one database, whose ranges follow one another, to a run in another
/// database.
pub struct RunMerge<'a> {
    /// The database that holds the sources.
    pub from: &'a mut Db,
    /// The runs to be merged; they stay.
    pub sources: &'a [RunInfo],
    /// The kind of all these runs.
    pub kind: RunKind,
    /// The transactions of all sources together.
    pub range: TxRange,
    /// Rows of up to 4 KiB that are read at once of each source.
    pub rows_at_once: usize,
    /// How the new run is written.
    pub pace: DiskPace,
    /// Is raised by the postings that are done, those of an interrupted merge that goes on here
    /// included.
    pub merged: &'a AtomicU64,
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

impl RunMerge<'_> {
    /// Makes the run, or goes on where an earlier merge of this range stopped. One thread reads,
    /// decodes and sorts, others encode, and the calling thread writes. Before each slice
    /// `may_go_on` is asked. The run that comes back is complete, but the caller decides when it is
    /// in force.
    pub fn write_into(
        self,
        into: &Db,
        mut may_go_on: impl FnMut() -> Result<()>,
    ) -> Result<RunInfo> {
        let RunMerge { from, sources, kind, range, rows_at_once, pace, merged } = self;
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
        let stripe_postings = stripe_postings(pace.slice_bytes);
        may_go_on()?;
        thread::scope(|scope| {
            let (senders, inputs): (Vec<_>, Vec<_>) =
                (0..pace.threads.clamp(1, ENCODERS_MAX)).map(|_| sync_channel(0)).unzip();
            scope.spawn(move || {
                let runs = sources.iter().map(|run| from.stream(*run, start, rows_at_once));
                send_merged(runs.collect(), stripe_postings, &senders);
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
}

/// Postings of a stripe. A slice ends only where a stripe does, so small slices need small stripes.
fn stripe_postings(slice_bytes: u64) -> usize {
    usize::try_from(slice_bytes / 8).map_or(STRIPE_POSTINGS, |most| most.clamp(1, STRIPE_POSTINGS))
}

/// Merges the streams, and sends the stripes to the encoders in turn; ends early when these are
/// gone.
fn send_merged(
    streams: Vec<RunStream<'_>>,
    stripe_postings: usize,
    to: &[SyncSender<Result<Stripe>>],
) {
    let mut turns = to.iter().cycle();
    let mut send = |stripe| turns.next().is_some_and(|turn| turn.send(stripe).is_ok());
    match Rounds::new(streams, stripe_postings) {
        Ok(mut stripes) => while stripes.next().is_some_and(&mut send) {},
        Err(error) => {
            let _ = send(Err(error));
        }
    }
}
