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
/// So many of the newest blocks live only in memory, where a reorg costs nothing.
pub const RECENT_BLOCKS_KEPT: usize = 100;
/// When so many blocks are in memory, all but the newest are written to a run: about once a day.
pub const RECENT_BLOCKS_FLUSH: usize = RECENT_BLOCKS_KEPT + 144;
/// So many runs of one size class are merged to one.
pub const MERGE_FAN_IN: usize = 8;
/// Runs above this size are never merged while serving.
pub const MERGED_RUN_BYTES_MAX: u64 = 2 << 30;
/// Blocks whose positions are checked at every start.
pub const POSITIONS_CHECKED: u32 = 2000;
/// A reorg deeper than this stops hekte: someone should look.
pub const REORG_BLOCKS_MAX: u32 = 1000;
/// bitcoind's tip may be so far below ours and still be followed down; further, we hold ours.
pub const FOLLOW_DOWN_BLOCKS_MAX: u32 = 100;
/// Further behind than this, blocks are indexed in batches instead of one by one.
pub const CATCH_UP_BLOCKS: u32 = 500;
/// Block files in which a new block is looked for: two grow at once while an assumeutxo snapshot
/// is being validated.
pub const NEWEST_FILES: usize = 3;
