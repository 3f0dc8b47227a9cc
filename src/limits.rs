//! Every bound in one place, its unit in its name, related to the others at compile time.

use std::time::Duration;

// --- what one client may send ---

/// Longest request line, without its newline. Every standard transaction (400 000 weight units)
/// and every standard package fits as hexadecimal text.
pub const MAX_LINE_BYTES: usize = 1_000_000;
/// Most requests in one batch; wallets known to us send up to a few hundred.
pub const MAX_BATCH_REQUESTS: usize = 1_000;
/// Most JSON values in one line: a parsed value costs tens of bytes where `0,` costs two.
pub const MAX_JSON_VALUES_PER_LINE: usize = 20_000;
/// Most transactions in a package or an acceptance test; bitcoind takes no more either.
pub const MAX_PACKAGE_TRANSACTIONS: usize = 25;
/// How much of a client's own value an error message repeats.
pub const MAX_ECHO_CHARS: usize = 80;
/// How much of the name a client gives itself is kept for the log.
pub const MAX_CLIENT_NAME_CHARS: usize = 80;

// --- what one client may get ---

/// Transactions in the answer to `mempool.recent`.
pub const MAX_RECENT_TRANSACTIONS: usize = 10;
/// Headers in one answer, the number every server uses (one difficulty period).
pub const MAX_HEADERS_PER_REPLY: u32 = 2_016;
/// Longest answer, single or batch; about 300 000 lines of history.
pub const MAX_REPLY_BYTES: usize = 32 << 20;
/// Answers computed but not yet written, over all clients, at most; see `shares.rs`.
pub const MAX_QUEUED_BYTES: usize = 128 << 20;
/// The same for one client.
pub const MAX_QUEUED_BYTES_PER_CLIENT: usize = 64 << 20;
/// Requests being read and answered, over all clients, where no memory budget says less.
pub const MAX_REQUEST_BYTES: usize = 64 << 20;
/// Answers up to this size are not counted; their number is bounded already.
pub const UNCOUNTED_REPLY_BYTES: usize = 4 << 10;
/// Digits in the answer to a ping, which is as long as the client likes: no longer than the
/// longest request.
pub const MAX_PONG_CHARS: usize = MAX_LINE_BYTES;
/// Scripts one client may watch, unless `max_subscriptions` says otherwise.
pub const MAX_SCRIPTS_WATCHED_PER_CLIENT: usize = 20_000;
/// Outpoints one client may watch.
pub const MAX_OUTPOINTS_WATCHED_PER_CLIENT: usize = 2_000;
/// Scripts and outpoints watched by all clients together, at most; see `shares.rs`.
pub const MAX_WATCHED: usize = 500_000;

// --- connections and their work ---

/// Clients at once, unless `max_clients` says otherwise.
pub const MAX_CLIENTS: usize = 200;
/// Lines of one client that are being answered or wait to be written; then reading pauses.
pub const IN_FLIGHT_LINES_PER_CLIENT: usize = 32;
/// Questions of one client that run at the same moment.
pub const RUNNING_PER_CLIENT: usize = 2;
/// Threads that ask the index.
pub const INDEX_WORKERS: usize = 4;
/// Threads that wait for bitcoind, apart from the others so that a hung node stops no answers.
pub const NODE_WORKERS: usize = 4;
/// Messages of one client that wait for its socket.
pub const WRITE_QUEUE_MESSAGES: usize = 64;
/// Watched scripts looked at in one go after a block, before others get their turn.
pub const RECHECK_CHUNK: usize = 64;
/// Tip changes kept for a client that is still busy with earlier ones.
pub const TIP_QUEUE_CHANGES: usize = 64;
/// The beginning of a line that is not counted among the requests that are being read.
pub const UNCOUNTED_LINE_BYTES: usize = 16 << 10;
/// Bytes read from a socket at once.
pub const READ_BUFFER_BYTES: usize = 16 << 10;
/// Bytes written to a socket before progress is judged.
pub const WRITE_CHUNK_BYTES: usize = 64 << 10;
/// From protocol 1.7 on no write is shorter than this, and its length is a power of two, as
/// ElectrumX pads them.
pub const PADDED_BYTES_MIN: usize = 1 << 10;
/// Longer ones are padded to a multiple of this.
pub const PADDED_STEP_BYTES: usize = 64 << 10;
/// A client that sends nothing for so long is let go, as other servers do.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// A client that takes nothing for so long is let go.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The slowest reader that is still served.
pub const MIN_BYTES_PER_SECOND: usize = 8 << 10;
/// How long a request waits for memory that other requests hold.
pub const REQUEST_PATIENCE: Duration = Duration::from_secs(10);
/// Pause before another look at watched things that could not be looked at.
pub const RETRY_PAUSE: Duration = Duration::from_secs(10);
/// How long connections may take to finish after the signal to stop.
pub const SHUTDOWN_WAIT: Duration = Duration::from_secs(10);
/// How long fee figures of bitcoind are repeated without asking again.
pub const FEE_CACHE_AGE: Duration = Duration::from_secs(30);

// --- watching over ourselves ---

/// How often the server says that it accepts clients and answers questions.
pub const BEAT_EVERY: Duration = Duration::from_secs(5);
/// How long it may be silent.
pub const SERVER_SILENCE_MAX: Duration = Duration::from_secs(60);
/// Connections to the metrics port at once; a dashboard needs one.
pub const METRICS_CLIENTS: usize = 8;
/// Longest head of a request there; browsers send some 700 bytes.
pub const METRICS_HEAD_BYTES: usize = 4 << 10;
/// How long a connection there may take from its first byte to its last.
pub const METRICS_TIME: Duration = Duration::from_secs(5);

// --- bitcoind's files ---

/// Block and undo files kept open at once.
pub const OPEN_BLOCK_FILES_MAX: usize = 64;
/// Largest serialised block (Core consensus/consensus.h, MAX_BLOCK_SERIALIZED_SIZE).
pub const BLOCK_BYTES_MAX: u32 = 4_000_000;
/// Newest files that a build leaves in the kernel's page cache, for bitcoind and for questions.
pub const FILES_KEPT_CACHED: u32 = 4;
/// Smallest block: a header, a count, and what Core accepts when it imports files.
pub const BLOCK_BYTES_MIN: u32 = 81;
/// Largest undo body read into memory.
pub const UNDO_BYTES_MAX: u32 = 512 << 20;
/// Window for hopping over records.
pub const HOP_WINDOW_BYTES: usize = 4 << 10;

// --- the index ---

/// Largest row of chunk data: what a 4096-byte SQLite page holds without an overflow page.
pub const CHUNK_BYTES_MAX: usize = 4056;
/// Most postings that one encoded group holds; longer ones go on in a next group.
pub const GROUP_POSTINGS_MAX: usize = 128;
/// Rev files whose records are remembered at once.
pub const REV_FILES_LISTED_MAX: usize = 8;
/// Records remembered of all of them, unless two files alone have more. The first file of the main
/// chain has 120 000, most others below 1000.
pub const REV_RECORDS_LISTED_MAX: usize = 400_000;
/// Bytes of a record that is remembered.
pub const REV_RECORD_BYTES: u64 = 16;
/// Blocks that are read ahead of the one being collected.
pub const BLOCKS_AHEAD_MAX: u32 = 32;
/// Bytes of them; those of the next blocks to be collected are let in beyond that.
pub const AHEAD_BYTES_MAX: usize = 8 << 20;
/// Consecutive blocks that one thread reads at a time.
pub const BLOCKS_PER_SPAN: u32 = 8;
/// Bytes that a merge writes in one transaction.
pub const MERGE_SLICE_BYTES: u64 = 64 << 20;
/// A build stops while there is still so much room on the disk, beside what it is about to write.
pub const FREE_BYTES_MIN: u64 = 64 << 20;
/// Memory of a merge for each of its runs: pages read at once.
pub const MERGE_PAGES_MIN: usize = 2;
/// See [`MERGE_PAGES_MIN`]; more would not make reads faster.
pub const MERGE_PAGES_MAX: usize = 64;
/// Block hashes asked of bitcoind in one batch.
pub const HASHES_PER_BATCH: u32 = 2000;
/// The longest step of the sync thread, its writer or the mempool thread: one slice written to the
/// slowest card, or one question to bitcoind that times out. A part that is silent for longer is
/// considered hung.
pub const STEP_TIME_MAX: Duration = Duration::from_secs(300);
/// Reading connections kept open between questions.
pub const IDLE_READERS_MAX: usize = INDEX_WORKERS;

// --- beside a running node ---

/// Unspent outputs of watched scripts that are remembered, at most; see `shares.rs`.
pub const WATCHED_COINS_MAX: usize = 500_000;
/// Scripts and transactions listed as touched by new blocks, 8 bytes each; beyond that every
/// watched one is looked at.
pub const TOUCHED_MAX: usize = 500_000;
/// Mempool transactions asked of bitcoind in one batch.
pub const MEMPOOL_BATCH: usize = 200;
/// So many of the newest blocks live only in memory, where a reorg costs nothing.
pub const RECENT_BLOCKS_KEPT: usize = 100;
/// So many stay in memory even where there is no room for more.
pub const RECENT_BLOCKS_MIN: usize = 6;
/// When so many blocks are in memory, all but the newest are written to a run: about once a day.
pub const RECENT_BLOCKS_FLUSH: usize = RECENT_BLOCKS_KEPT + 144;
/// When they cannot be written for want of space, so many are kept in memory; then hekte stays
/// where it is.
pub const RECENT_BLOCKS_MAX: usize = RECENT_BLOCKS_FLUSH + 144;
/// Bytes that a merge writes in one transaction while serving: some seconds of an SD card, for
/// which a new block may have to wait.
pub const UPKEEP_SLICE_BYTES: u64 = 16 << 20;
/// Merges wait while the write-ahead log is larger, because someone has been reading from it all
/// the time.
pub const LOG_BYTES_MAX: u64 = 64 << 20;
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
/// Block files in which a new block is looked for, the last ones by number, and if it is not there,
/// those written last: with an assumeutxo snapshot two grow at once, and the newest blocks may be
/// in one that is far from the last.
pub const NEWEST_FILES: usize = 3;

const _: () = assert!(BEAT_EVERY.as_secs() * 4 < SERVER_SILENCE_MAX.as_secs());
const _: () =
    assert!(UPKEEP_SLICE_BYTES <= MERGE_SLICE_BYTES && UPKEEP_SLICE_BYTES < LOG_BYTES_MAX);
const _: () = assert!(MAX_BATCH_REQUESTS * 16 <= MAX_JSON_VALUES_PER_LINE);
const _: () = assert!(RUNNING_PER_CLIENT < INDEX_WORKERS && RUNNING_PER_CLIENT < NODE_WORKERS);
const _: () = assert!(MAX_REPLY_BYTES <= MAX_QUEUED_BYTES_PER_CLIENT);
const _: () = assert!(MAX_QUEUED_BYTES_PER_CLIENT < MAX_QUEUED_BYTES);
const _: () = assert!(MAX_REPLY_BYTES / 1024 < u32::MAX as usize);
const _: () = assert!(IN_FLIGHT_LINES_PER_CLIENT < WRITE_QUEUE_MESSAGES);
const _: () = assert!(MAX_SCRIPTS_WATCHED_PER_CLIENT < MAX_WATCHED);
const _: () = assert!(MAX_HEADERS_PER_REPLY as usize * 163 < MAX_REPLY_BYTES);
