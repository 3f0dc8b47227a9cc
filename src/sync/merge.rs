//! Several runs to one, in slices that can be taken up again after any interruption.

use crate::error::Result;
use crate::ids::Prefix;
use crate::index::chunk::TxRange;
use crate::index::merge::Merge;
use crate::limits::MERGE_SLICE_BYTES;
use crate::store::open::Db;
use crate::store::run::fill_in_slices;
use crate::store::tables::{RunInfo, RunKind};

use super::batch::empty_run;

/// Merges complete runs of one kind that lie side by side in `from` into a run in `into`, which
/// may be the same database. Goes on where an earlier merge of the same range stopped. The sources
/// stay; the new run is complete but the caller decides when it is in force.
pub fn merge_runs(
    from: &Db,
    sources: &[RunInfo],
    into: &Db,
    kind: RunKind,
    range: TxRange,
    pages_at_once: usize,
    mut progress: impl FnMut(Prefix) -> Result<()>,
) -> Result<RunInfo> {
    let begun = into.runs()?.into_iter().find(|run| run.kind == kind && run.range == range);
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
    let streams = sources.iter().map(|run| from.stream(*run, start, pages_at_once)).collect();
    let merged = Merge::new(streams)?;
    progress(start)?;
    fill_in_slices(into, target, merged, expected, MERGE_SLICE_BYTES, progress)
}
