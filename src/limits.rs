//! Every bound in one place, with its unit in its name.

/// Block and undo files kept open at once.
pub const OPEN_BLOCK_FILES_MAX: usize = 64;
/// Largest serialised block (Core consensus/consensus.h, MAX_BLOCK_SERIALIZED_SIZE).
pub const BLOCK_BYTES_MAX: u32 = 4_000_000;
/// Smallest block: a header, a count, and what Core accepts when it imports files.
pub const BLOCK_BYTES_MIN: u32 = 81;
/// Largest undo body read into memory.
pub const UNDO_BYTES_MAX: u32 = 512 << 20;
/// Window for hopping over records.
pub const HOP_WINDOW_BYTES: usize = 4 << 10;

/// Largest row of chunk data: what a 4096-byte SQLite page holds without an overflow page.
pub const CHUNK_BYTES_MAX: usize = 4056;
/// Most postings that one encoded group holds; longer ones go on in a next group.
pub const GROUP_POSTINGS_MAX: usize = 128;
/// Rev files whose records are remembered at once.
pub const REV_FILES_LISTED_MAX: usize = 8;
/// Blocks that are read ahead of the one being collected.
pub const BLOCKS_AHEAD_MAX: u32 = 32;
/// Consecutive blocks that one thread reads at a time.
pub const BLOCKS_PER_SPAN: u32 = 8;
/// Bytes that a merge writes in one transaction.
pub const MERGE_SLICE_BYTES: u64 = 64 << 20;
/// Block hashes asked of bitcoind in one batch.
pub const HASHES_PER_BATCH: u32 = 2000;
/// Reading connections kept open between questions.
pub const IDLE_READERS_MAX: usize = 8;
