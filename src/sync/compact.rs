//! Merging small runs into larger ones while serving: size-tiered, in bounded transactions.

use log::info;

use crate::error::Result;
use crate::ids::TxNum;
use crate::index::chunk::TxRange;
use crate::limits::{MERGE_FAN_IN, MERGE_SLICE_BYTES, MERGED_RUN_BYTES_MAX};
use crate::store::open::Db;
use crate::store::stream::STREAM_PAGES;
use crate::store::tables::{RunInfo, RunKind, State};

use super::merge::{Pace, merge_runs};

/// The complete runs that no other one replaces: after an interrupted merge both the small ones
/// and the one that they were merged to are there.
pub fn in_force(runs: &[RunInfo]) -> Vec<RunInfo> {
    let replaced = |run: &RunInfo| {
        runs.iter().any(|other| {
            other.complete
                && other.kind == run.kind
                && other.id != run.id
                && other.range.first <= run.range.first
                && run.range.end <= other.range.end
                && (other.range != run.range || other.id > run.id)
        })
    };
    runs.iter().filter(|run| run.complete && !replaced(run)).copied().collect()
}

/// Takes away what an interrupted merge left: unfinished runs, and runs that a finished one
/// replaces.
pub fn clean_up(db: &Db) -> Result<()> {
    let runs = db.runs()?;
    let kept = in_force(&runs);
    let change = db.change()?;
    for run in runs.iter().filter(|run| !kept.contains(run)) {
        change.drop_run(run.id)?;
    }
    change.commit()
}

/// Neighbouring runs of a kind that are worth merging, the newest and fewest such: enough of them,
/// and none larger than the others together, so that whatever is written again comes to be in a
/// run twice as large. Very large runs, the base run above all, are left alone.
fn worth_merging(runs: &[RunInfo], kind: RunKind) -> Option<Vec<RunInfo>> {
    let of_kind = runs.iter().filter(|run| run.kind == kind && run.complete);
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

/// Merges the newest runs that are worth it, if any are; the state after it.
pub fn merge_smallest(db: &Db) -> Result<Option<State>> {
    let runs = db.runs()?;
    for kind in RunKind::ALL {
        let Some(sources) = worth_merging(&runs, kind) else { continue };
        let first = sources.first().map_or(TxNum(0), |run| run.range.first);
        let end = sources.last().map_or(TxNum(0), |run| run.range.end);
        let range = TxRange { first, end };
        let pace = Pace { pages_at_once: STREAM_PAGES, slice_bytes: MERGE_SLICE_BYTES };
        merge_runs(db, &sources, db, (kind, range), pace, |_| Ok(()))?;
        let mut state = db.state()?;
        state.generation += 1;
        let change = db.change()?;
        for run in &sources {
            change.drop_run(run.id)?;
        }
        change.set_state(&state)?;
        change.commit()?;
        info!("merged {} small runs of {kind:?} postings", sources.len());
        return Ok(Some(state));
    }
    Ok(None)
}
