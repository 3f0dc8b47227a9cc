//! Which runs are in force (no other run replaces them), and whether they cover every transaction.

use super::records::{RunInfo, RunKind};

/// The complete runs that no other complete run replaces. The sources of a merge stay in the list
/// until they are dropped, so until then both they and the merged run are there.
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

/// Whether the complete runs of a kind cover transactions 0 to `txs` without gap or overlap.
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
