//! How the memory budget of the process is divided during a scan, a build and a merge.

use log::warn;

use crate::chain::tree::BlockTree;
use crate::index::encoders::ENCODER_BYTES;
use crate::limits::{
    AHEAD_BYTES_MAX, MERGE_ROWS_MAX, MERGE_ROWS_MIN, REV_RECORD_BYTES, REV_RECORDS_LISTED_MAX,
};
use crate::sync::blocks::batch::ENCODERS_MAX;

use super::merge::MERGE_BYTES;
use super::plan::Plan;

/// Memory of the program itself, its threads, SQLite's caches and its list of tables.
const PROCESS_BYTES: u64 = 20 << 20;
/// Memory of a reading thread: a block, its undo data, and the rows made of them.
const THREAD_BYTES: u64 = 3 << 20;
/// With fewer bytes than this for batches, runs are too small to be worth merging.
const BATCH_BYTES_MIN: u64 = 8 << 20;
/// Memory of one run in a merge, beside the rows that were read of it: its postings that are
/// decoded.
const STREAM_BYTES: u64 = 4 << 10;

/// The most memory that a scan takes: the tree of blocks, and 16 bytes more for each block to sort
/// them by work.
pub const fn scan_bytes(blocks: u64) -> u64 {
    PROCESS_BYTES + BlockTree::bytes_of(blocks) + blocks * 16
}

/// The most memory that a build takes beside its batches: the plan, lists of undo records, blocks
/// read ahead, chunks on their way to the disk.
pub const fn build_bytes(blocks: u64, threads: u64) -> u64 {
    let undo_records = REV_RECORDS_LISTED_MAX as u64 * REV_RECORD_BYTES;
    let reading = AHEAD_BYTES_MAX as u64 + threads * THREAD_BYTES;
    let encoders = if threads < ENCODERS_MAX as u64 { threads } else { ENCODERS_MAX as u64 };
    let storing = encoders * ENCODER_BYTES;
    PROCESS_BYTES + Plan::bytes_of(blocks) + undo_records + reading + storing
}

/// Bytes that the two batches may take together, so that a build of `blocks` blocks stays within
/// `memory_bytes`.
pub fn batch_bytes(memory_bytes: u64, blocks: u32, threads: usize) -> usize {
    let left = memory_bytes.saturating_sub(build_bytes(u64::from(blocks), threads as u64));
    left.max(BATCH_BYTES_MIN) as usize
}

/// Warns if the chain is too long for the memory budget. The build goes on nevertheless, and takes
/// more than the budget.
pub fn warn_if_short(memory_bytes: u64, blocks: u32, threads: usize) {
    let (scan, build) = (scan_bytes(blocks.into()), build_bytes(blocks.into(), threads as u64));
    let least = scan.max(build + BATCH_BYTES_MIN);
    if least > memory_bytes {
        warn!(
            "{blocks} blocks take {} MiB, more than the {} MiB of --memory; raise it, or allow for \
             the difference",
            least >> 20,
            memory_bytes >> 20
        );
    }
}

/// Rows that may be read at once of each of `runs` runs in a merge, so that all of them together
/// stay within `memory_bytes`. A row takes up to 4 KiB.
pub fn merge_rows(memory_bytes: u64, blocks: u32, runs: usize) -> usize {
    let held = PROCESS_BYTES + Plan::bytes_of(u64::from(blocks)) + MERGE_BYTES;
    let each = memory_bytes.saturating_sub(held) / runs.max(1) as u64;
    let rows = each.saturating_sub(STREAM_BYTES) / (4 << 10);
    (rows as usize).clamp(MERGE_ROWS_MIN, MERGE_ROWS_MAX)
}

// a chain of a million blocks, about as long as the main one, fits into the smallest budget that is
// promised for it, on a board of four cores
const _: () = assert!(scan_bytes(1_000_000) <= 96 << 20);
const _: () = assert!(build_bytes(1_000_000, 4) <= 76 << 20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_build_stay_within_the_budget() {
        for memory_bytes in [128 << 20, 256 << 20, 512 << 20, 1 << 30] {
            for blocks in [0, 700_000, 1_000_000] {
                for threads in [1, 2, 4] {
                    let batches = batch_bytes(memory_bytes, blocks, threads) as u64;
                    let sum = batches + build_bytes(u64::from(blocks), threads as u64);
                    assert!(sum <= memory_bytes, "{memory_bytes} {blocks} {threads}: {sum}");
                    assert!(batches >= 48 << 20, "{batches} make too many runs");
                }
                // the main chain has 9 billion postings; these are the runs that they make
                let runs = (9_000_000_000 * 8 / (batch_bytes(memory_bytes, blocks, 4) / 2)).max(2);
                let rows = merge_rows(memory_bytes, blocks, runs) as u64;
                let streams = runs as u64 * (STREAM_BYTES + rows * 4096);
                let held = PROCESS_BYTES + Plan::bytes_of(u64::from(blocks)) + MERGE_BYTES;
                assert!(
                    streams + held <= memory_bytes,
                    "{runs} runs of {rows} rows in {memory_bytes}"
                );
            }
        }
    }
}
