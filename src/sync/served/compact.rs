//! Merging small runs into larger ones while serving: size-tiered, in small steps that each leave
//! the index whole, and that go on where an interrupted one stopped.

use log::{debug, info};

use crate::error::Result;
use crate::ids::TxNum;
use crate::index::chunk::TxRange;
use crate::index::merge::Merge;
use crate::limits::{MERGE_FAN_IN, MERGED_RUN_BYTES_MAX};
use crate::store::open::Db;
use crate::store::records::{RunInfo, RunKind, State};
use crate::store::run::fill_slice;
use crate::store::runs::in_force;
use crate::store::space::{Step, check_room};
use crate::store::stream::STREAM_ROWS;
use crate::sync::build::merge::sources_of;

/// The newest neighbouring runs of one kind that are worth merging, as few as possible: at least
/// `MERGE_FAN_IN`, and the largest no larger than the others together. So a posting that is written
/// again always lands in a run at least twice as large. Runs above `MERGED_RUN_BYTES_MAX`, the base
/// run above all, are left alone.
fn worth_merging(runs: &[RunInfo], kind: RunKind) -> Option<Vec<RunInfo>> {
    let of_kind = runs.iter().filter(|run| run.kind == kind);
    let of_kind: Vec<RunInfo> = of_kind.copied().collect();
    for end in (MERGE_FAN_IN..=of_kind.len()).rev() {
        let (mut largest, mut sum) = (0, 0);
        for start in (0..end).rev() {
            if of_kind[start].bytes > MERGED_RUN_BYTES_MAX {
                break;
            }
            let count = u64::from(of_kind[start].range.count());
            largest = count.max(largest);
            sum += count;
            if end - start >= MERGE_FAN_IN && largest <= sum - largest {
                return Some(of_kind[start..end].to_vec());
            }
        }
    }
    None
}

/// Replaced runs are removed together up to this size, since removing one touches all its pages.
const DROPPED_BYTES_MAX: u64 = 64 << 20;

/// What is to be done next.
enum Work {
    /// These runs are dropped: a finished one replaces them, or their sources are gone.
    Drop(Vec<RunInfo>),
    /// These runs are merged to that one.
    Merge(Target, Vec<RunInfo>),
}

/// The run that a merge fills.
enum Target {
    /// The merge begins, so the run is still to be made.
    New(RunKind, TxRange),
    /// The merge goes on with this run.
    Begun(RunInfo),
}

fn next_work(runs: &[RunInfo]) -> Option<Work> {
    let kept = in_force(runs);
    let mut bytes = 0;
    let mut within_limit = |run: &&RunInfo| {
        let first = bytes == 0;
        bytes += run.bytes.max(1);
        first || bytes <= DROPPED_BYTES_MAX
    };
    let old = runs.iter().filter(|run| run.complete && !kept.contains(run));
    let old: Vec<RunInfo> = old.take_while(&mut within_limit).copied().collect();
    if !old.is_empty() {
        return Some(Work::Drop(old));
    }
    if let Some(begun) = runs.iter().find(|run| !run.complete) {
        return Some(match sources_of(begun, &kept) {
            Some(sources) => Work::Merge(Target::Begun(*begun), sources),
            None => Work::Drop(vec![*begun]),
        });
    }
    let merge = |kind| {
        let sources = worth_merging(&kept, kind)?;
        let first = sources.first().map_or(TxNum(0), |run| run.range.first);
        let end = sources.last().map_or(TxNum(0), |run| run.range.end);
        Some(Work::Merge(Target::New(kind, TxRange { first, end }), sources))
    };
    RunKind::ALL.into_iter().find_map(merge)
}

/// Does the next small piece of work, if there is any: about `slice_bytes` of a merge in one
/// transaction, or the removal of runs that are not needed any more. The state after it comes
/// back. It fails if the merge would leave less than `spare_bytes` free on the disk.
pub fn step(db: &Db, slice_bytes: u64, spare_bytes: Option<u64>) -> Result<Option<State>> {
    let Some(work) = next_work(&db.runs()?) else { return Ok(None) };
    let (target, sources) = match work {
        Work::Drop(runs) => {
            let change = db.change()?;
            for run in &runs {
                change.drop_run(run.id)?;
            }
            change.commit()?;
            debug!("took {} runs away that are not needed any more", runs.len());
            return db.state().map(Some);
        }
        Work::Merge(target, sources) => (target, sources),
    };
    let written = match &target {
        Target::New(..) => 0,
        Target::Begun(run) => run.bytes,
    };
    let all: u64 = sources.iter().map(|run| run.bytes).sum();
    let left = all.saturating_sub(written);
    // a merge stands beside what it replaces, and each slice is in the write-ahead log first
    let needed = left.saturating_sub(db.unused_bytes()?).saturating_add(2 * slice_bytes.min(left));
    check_room(&db.path, Step::Merge, needed, spare_bytes)?;
    let mut state = db.state()?;
    let change = db.change()?;
    let target = match target {
        Target::New(kind, range) => change.create_run(kind, range, db.tally_of_all(&sources)?)?,
        Target::Begun(run) => run,
    };
    let start = target.resume;
    let streams = sources.iter().map(|run| db.stream(*run, start, STREAM_ROWS)).collect();
    let mut merged = Merge::new(streams)?.peekable();
    let filled = fill_slice(&change, target, &mut merged, slice_bytes)?;
    if filled.complete {
        // from now on it is the one that counts
        state.generation += 1;
        change.set_state(&state)?;
    }
    drop(merged);
    change.commit()?;
    if filled.complete {
        info!("merged {} small runs of {:?} postings", sources.len(), filled.kind);
    }
    Ok(Some(state))
}
