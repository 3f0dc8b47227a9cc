//! Merging small runs into larger ones while serving: size-tiered, in bounded transactions.

use log::info;

use crate::error::Result;
use crate::ids::TxNum;
use crate::index::chunk::TxRange;
use crate::limits::{MERGE_FAN_IN, MERGED_RUN_BYTES_MAX};
use crate::store::open::Db;
use crate::store::stream::STREAM_PAGES;
use crate::store::tables::{RunInfo, RunKind, State};

use super::merge::merge_runs;

/// Takes away what an interrupted merge left: unfinished runs, and runs that a finished one
/// replaces.
pub fn clean_up(db: &Db) -> Result<()> {
    let runs = db.runs()?;
    let change = db.change()?;
    for run in &runs {
        let covered = runs.iter().any(|other| {
            other.complete
                && other.kind == run.kind
                && other.id != run.id
                && other.range.first <= run.range.first
                && run.range.end <= other.range.end
                && (other.range != run.range || other.id > run.id)
        });
        if covered || !run.complete {
            change.drop_run(run.id)?;
        }
    }
    change.commit()
}

/// The size class of a run: runs of one class differ in size by less than the fan-in.
fn tier(run: &RunInfo) -> u32 {
    run.range.count().max(1).ilog(MERGE_FAN_IN as u32)
}

/// Merges the newest runs if there are enough of one size class; the state after it. Very large
/// runs, the base run above all, are left alone.
pub fn merge_smallest(db: &Db) -> Result<Option<State>> {
    let runs = db.runs()?;
    let newest = |kind: RunKind| -> Vec<RunInfo> {
        let mut suffix: Vec<RunInfo> = Vec::new();
        for run in runs.iter().rev().filter(|run| run.kind == kind && run.complete) {
            let same = suffix.first().is_none_or(|first| tier(first) == tier(run));
            if !same || run.bytes > MERGED_RUN_BYTES_MAX {
                break;
            }
            suffix.push(*run);
        }
        suffix.reverse();
        suffix
    };
    for kind in RunKind::ALL {
        let sources = newest(kind);
        if sources.len() < MERGE_FAN_IN {
            continue;
        }
        let first = sources.first().map_or(TxNum(0), |run| run.range.first);
        let end = sources.last().map_or(TxNum(0), |run| run.range.end);
        let range = TxRange { first, end };
        merge_runs(db, &sources, db, kind, range, STREAM_PAGES, |_| Ok(()))?;
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
