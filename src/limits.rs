//! Every bound on what others may cost: clients, bitcoind, block files, the index on the disk. Each
//! has its unit in its name; compile-time checks relate them. Constants that only tune speed stand
//! where they are used.

use std::time::Duration;

// --- what one client may send ---

/// Longest request line, without its newline. Every standard transaction (400 000 weight units)
/// and every standard package fits as hexadecimal text.
pub const MAX_LINE_BYTES: usize = 1_000_000;
/// Most requests in one batch; the wallets that we know send up to a few hundred.
pub const MAX_BATCH_REQUESTS: usize = 1_000;
/// Most JSON values in one line. A parsed value takes tens of bytes, but only two in the line
/// (`0,`).
pub const MAX_JSON_VALUES_PER_LINE: usize = 20_000;
/// Most transactions in a package or an acceptance test; bitcoind takes no more either.
pub const MAX_PACKAGE_TRANSACTIONS: usize = 25;
/// Longest part of a client's own value that an error message repeats.
pub const MAX_ECHO_CHARS: usize = 80;
/// Longest part of a client's name for itself that is kept for the log.
pub const MAX_CLIENT_NAME_CHARS: usize = 80;

// --- what one client may receive ---

/// Transactions in the answer to `mempool.recent`.
pub const MAX_RECENT_TRANSACTIONS: usize = 10;
/// Most headers in one answer; every Electrum server uses this number (one difficulty period).
pub const MAX_HEADERS_PER_REPLY: u32 = 2_016;
/// Longest answer, for a single request or a batch; it holds about 300 000 lines of history.
pub const MAX_REPLY_BYTES: usize = 32 << 20;
/// Most bytes of answers computed but not yet written, over all clients; see `shares.rs`.
pub const MAX_QUEUED_BYTES: usize = 128 << 20;
/// Most bytes of answers computed but not yet written, for one client.
pub const MAX_QUEUED_BYTES_PER_CLIENT: usize = 64 << 20;
/// Most bytes of requests being read and answered, over all clients, if the memory budget does not
/// set a lower bound.
pub const MAX_REQUEST_BYTES: usize = 64 << 20;
/// Answers up to this size are not counted against the memory for replies: the limits on lines in
/// flight already bound how many there are.
pub const UNCOUNTED_REPLY_BYTES: usize = 4 << 10;
/// Most digits in the answer to a ping. The client chooses the length; we allow as much as the
/// longest request.
pub const MAX_PONG_CHARS: usize = MAX_LINE_BYTES;
/// Scripts one client may watch, unless `max_subscriptions` says otherwise.
pub const MAX_SCRIPTS_WATCHED_PER_CLIENT: usize = 20_000;
/// Outpoints one client may watch.
pub const MAX_OUTPOINTS_WATCHED_PER_CLIENT: usize = 2_000;
/// Most scripts and outpoints watched by all clients together; see `shares.rs`.
pub const MAX_WATCHED: usize = 500_000;

// --- connections and their work ---

/// Most clients connected at once, unless `max_clients` says otherwise.
pub const MAX_CLIENTS: usize = 200;
/// Lines of one client that may be in work or wait to be written; at this number reading from the
/// client pauses.
pub const IN_FLIGHT_LINES_PER_CLIENT: usize = 32;
/// Questions of one client that may run at once.
pub const RUNNING_PER_CLIENT: usize = 2;
/// Threads that answer questions from the index.
pub const INDEX_WORKERS: usize = 4;
/// Threads that wait for bitcoind. They are separate, so that a hung bitcoind does not stop answers
/// from the index.
pub const NODE_WORKERS: usize = 4;
/// Messages that may wait for the socket of one client.
pub const WRITE_QUEUE_MESSAGES: usize = 64;
/// Watched scripts that a client's task checks in one go after a block, before other tasks get
/// their turn.
pub const RECHECK_CHUNK: usize = 64;
/// Tip changes kept for a client that is still busy with earlier ones.
pub const TIP_QUEUE_CHANGES: usize = 64;
/// Bytes at the beginning of a line that are not counted as request memory.
pub const UNCOUNTED_LINE_BYTES: usize = 16 << 10;
/// Bytes read from a socket at once.
pub const READ_BUFFER_BYTES: usize = 16 << 10;
/// Bytes written to a socket between two checks of the client's speed.
pub const WRITE_CHUNK_BYTES: usize = 64 << 10;
/// From protocol 1.7 on every write is padded to a power of two of at least this length, as
/// ElectrumX does.
pub const PADDED_BYTES_MIN: usize = 1 << 10;
/// Writes longer than this are padded to a multiple of it instead.
pub const PADDED_STEP_BYTES: usize = 64 << 10;
/// A client that sends nothing for this long is disconnected, as other servers do.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// A client that reads nothing for this long is disconnected.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A client that reads more slowly than this is disconnected.
pub const MIN_BYTES_PER_SECOND: usize = 8 << 10;
/// How long a request waits for memory that other requests hold.
pub const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// Pause before watched scripts and outpoints that could not be checked are checked again.
pub const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// How long connections may take to finish after the signal to stop.
pub const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);
/// How long bitcoind's fee figures are reused before it is asked again.
pub const FEE_CACHE_AGE: Duration = Duration::from_secs(30);

// --- the watchdog and the metrics port ---

/// How often the server reports that it accepts clients and answers questions.
pub const BEAT_EVERY: Duration = Duration::from_secs(5);
/// How long the server may go without reporting before it counts as hung.
pub const SERVER_SILENCE_MAX: Duration = Duration::from_secs(60);
/// Connections to the metrics port at once; a dashboard needs one.
pub const METRICS_CLIENTS: usize = 8;
/// Longest request head on the metrics port; browsers send some 700 bytes.
pub const METRICS_HEAD_BYTES: usize = 4 << 10;
/// How long a connection to the metrics port may take from its first byte to its last.
pub const METRICS_TIME: Duration = Duration::from_secs(5);

// --- bitcoind's files ---

/// Block and undo files kept open at once.
pub const OPEN_BLOCK_FILES_MAX: usize = 64;
/// Largest serialised block (Core consensus/consensus.h, MAX_BLOCK_SERIALIZED_SIZE).
pub const BLOCK_BYTES_MAX: u32 = 4_000_000;
/// Number of newest files that a build leaves in the kernel's page cache, for bitcoind and for
/// questions.
pub const FILES_KEPT_CACHED: u32 = 4;
/// Smallest block: a header, a transaction count, and the smallest transaction that Core accepts
/// when it imports files.
pub const BLOCK_BYTES_MIN: u32 = 81;
/// Largest undo body read into memory.
pub const UNDO_BYTES_MAX: u32 = 512 << 20;
/// Bytes read at once while hopping from record to record.
pub const HOP_WINDOW_BYTES: usize = 4 << 10;

// --- the index ---

/// Page of the index's databases: a leaf holds four full rows, and an inner page points to some
/// 1400 leaves, so that the inner pages of a large index fit into a small cache.
pub const PAGE_BYTES: usize = 16 << 10;
/// Largest row of data, checksum included: four of them fill a page. Beside the data a row has its
/// place in the page (2 bytes), its length (2), its key (up to 9) and SQLite's record header (4);
/// a leaf has 8 bytes of its own.
pub const ROW_BYTES_MAX: usize = (PAGE_BYTES - 8) / 4 - (2 + 2 + 9 + 4) - 1;
/// Most postings that one encoded list holds; longer lists continue in a further list.
pub const LIST_POSTINGS_MAX: usize = 128;
/// Most rev files whose list of records is kept in memory.
pub const REV_FILES_LISTED_MAX: usize = 8;
/// Most records kept in those lists together, unless two files alone have more. The first file of
/// the main chain has 120 000, most others fewer than 1000.
pub const REV_RECORDS_LISTED_MAX: usize = 400_000;
/// Memory that one record takes in those lists.
pub const REV_RECORD_BYTES: u64 = 16;
/// Most blocks that are read ahead of the one being collected.
pub const BLOCKS_AHEAD_MAX: u32 = 32;
/// Most bytes of blocks read ahead; the blocks that are collected next may exceed it.
pub const AHEAD_BYTES_MAX: usize = 8 << 20;
/// Consecutive blocks that one thread reads in one turn.
pub const BLOCKS_PER_TURN: u32 = 8;
/// Bytes that a merge writes in one transaction.
pub const MERGE_SLICE_BYTES: u64 = 64 << 20;
/// A build stops when writing its next piece would leave less free space than this on the disk.
pub const FREE_BYTES_MIN: u64 = 64 << 20;
/// Fewest rows that a merge reads at once from each of its runs, which sets its memory.
pub const MERGE_ROWS_MIN: usize = 4;
/// Most rows that a merge reads at once from each of its runs; more would not make reads faster.
pub const MERGE_ROWS_MAX: usize = 64;
/// Block hashes that one batch asks bitcoind for.
pub const HASHES_PER_BATCH: u32 = 2000;
/// Longest step of the sync thread, its writer or the mempool thread: one slice written to the
/// slowest card, or one RPC call that times out. A part silent for longer is considered hung.
pub const STEP_TIME_MAX: Duration = Duration::from_secs(300);
/// Database connections for reading that are kept open between questions.
pub const IDLE_READERS_MAX: usize = INDEX_WORKERS;

// --- beside a running node ---

/// Most unspent outputs of watched scripts that are remembered; see `shares.rs`.
pub const WATCHED_COINS_MAX: usize = 500_000;
/// Most scripts and transactions listed as touched by new blocks, 8 bytes each; beyond that every
/// watched script and outpoint is checked.
pub const TOUCHED_MAX: usize = 500_000;
/// Mempool transactions that one batch asks bitcoind for.
pub const MEMPOOL_BATCH: usize = 200;
/// Number of newest blocks that stay in memory only, where a reorg needs no writing.
pub const RECENT_BLOCKS_KEPT: usize = 100;
/// Number of newest blocks that stay in memory even if their share of memory is exceeded.
pub const RECENT_BLOCKS_MIN: usize = 6;
/// Number of blocks in memory at which all but the newest are written to a run: about once a day.
pub const RECENT_BLOCKS_FLUSH: usize = RECENT_BLOCKS_KEPT + 144;
/// Most blocks kept in memory while the disk has no room to write them; at this number hekte stops
/// following the chain until there is room.
pub const RECENT_BLOCKS_MAX: usize = RECENT_BLOCKS_FLUSH + 144;
/// Bytes that a merge writes in one transaction while serving: some seconds of an SD card, for
/// which a new block may have to wait.
pub const UPKEEP_SLICE_BYTES: u64 = 16 << 20;
/// Merges wait while the write-ahead log is larger than this, which happens when readers keep it
/// from being reset.
pub const WAL_BYTES_MAX: u64 = 64 << 20;
/// Number of runs of one size class that are merged into one.
pub const MERGE_FAN_IN: usize = 8;
/// Runs above this size are never merged while serving.
pub const MERGED_RUN_BYTES_MAX: u64 = 2 << 30;
/// Blocks whose positions are checked at every start.
pub const POSITIONS_CHECKED: u32 = 2000;
/// A reorg deeper than this stops hekte, so that the operator looks at it.
pub const REORG_BLOCKS_MAX: u32 = 1000;
/// If bitcoind's tip is at most this far below ours, the index follows it down; if it is further
/// below, the index keeps its own tip.
pub const FOLLOW_DOWN_BLOCKS_MAX: u32 = 100;
/// If the index is further behind than this, blocks are indexed in batches instead of one by one.
pub const CATCH_UP_BLOCKS: u32 = 500;
/// Number of block files in which a new block is looked for: first the files with the highest
/// numbers, then those written last. With an assumeutxo snapshot bitcoind writes to two files at
/// once, and the newest blocks may be in one that is far from the last.
pub const NEWEST_FILES: usize = 3;

const _: () = assert!(BEAT_EVERY.as_secs() * 4 < SERVER_SILENCE_MAX.as_secs());
const _: () =
    assert!(UPKEEP_SLICE_BYTES <= MERGE_SLICE_BYTES && UPKEEP_SLICE_BYTES < WAL_BYTES_MAX);
const _: () = assert!(MAX_BATCH_REQUESTS * 16 <= MAX_JSON_VALUES_PER_LINE);
const _: () = assert!(RUNNING_PER_CLIENT < INDEX_WORKERS && RUNNING_PER_CLIENT < NODE_WORKERS);
const _: () = assert!(MAX_REPLY_BYTES <= MAX_QUEUED_BYTES_PER_CLIENT);
const _: () = assert!(MAX_QUEUED_BYTES_PER_CLIENT < MAX_QUEUED_BYTES);
const _: () = assert!(MAX_REPLY_BYTES / 1024 < u32::MAX as usize);
const _: () = assert!(IN_FLIGHT_LINES_PER_CLIENT < WRITE_QUEUE_MESSAGES);
const _: () = assert!(MAX_SCRIPTS_WATCHED_PER_CLIENT < MAX_WATCHED);
const _: () = assert!(MAX_HEADERS_PER_REPLY as usize * 163 < MAX_REPLY_BYTES);
