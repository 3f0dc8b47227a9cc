//! Which runs count: those that no other one replaces, and whether they cover every transaction.

use super::records::{RunInfo, RunKind};

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

/// Whether complete runs of a kind cover transactions 0 to `txs` without gap or overlap.
pub fn tiles(runs: &[RunInfo], kind: RunKind, txs: u32) -> bool {
    let mut covered = 0;
    for run in runs.iter().filter(|run| run.kind == kind && run.complete) {
        if run.range.first.0 != covered {
            return false;
        }
        covered = run.range.end.0;
    }
    covered == txs
}
