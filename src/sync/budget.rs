//! How the memory budget of the process is divided during a build.

use crate::limits::{MERGE_PAGES_MAX, MERGE_PAGES_MIN};

/// Bytes of one posting in a batch, its share of txids (a quarter as many) included.
const POSTING_BYTES: u64 = 10;
/// The process itself, SQLite's caches, lists of undo records, read buffers, blocks read ahead.
const FIXED_BYTES: u64 = 40 << 20;
/// Fewer postings than this make runs too small to be worth merging.
const POSTINGS_MIN: u64 = 1 << 20;

/// Postings that a batch may hold so that the process stays within `memory` bytes.
pub fn batch_postings(memory: u64) -> usize {
    // the tree of blocks takes up to 130 bytes a block: an eighth of the smallest budget for a
    // million blocks
    let tree = memory / 8;
    let left = memory.saturating_sub(FIXED_BYTES + tree);
    (left / POSTING_BYTES).max(POSTINGS_MIN) as usize
}

/// Pages that each of `runs` may read at once in a merge, so that all together stay within
/// `memory`. A page is 4 KiB, and about 20 KiB more are one page decoded.
pub fn merge_pages(memory: u64, runs: usize) -> usize {
    let each = memory.saturating_sub(FIXED_BYTES) / runs.max(1) as u64;
    let pages = each.saturating_sub(20 << 10) / (4 << 10);
    (pages as usize).clamp(MERGE_PAGES_MIN, MERGE_PAGES_MAX)
}
