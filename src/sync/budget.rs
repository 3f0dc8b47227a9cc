//! How the memory budget of the process is divided during a build.

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
