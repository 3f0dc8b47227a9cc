//! How the memory budget is divided while serving: each part gets a share, and the sum is bounded.

use crate::limits::{
    INDEX_WORKERS, MAX_LINE_BYTES, MAX_QUEUED_BYTES, MAX_QUEUED_BYTES_PER_CLIENT, MAX_WATCHED,
    WATCHED_COINS_MAX,
};

/// The program itself, its threads, and what the allocator holds back.
const PROCESS_BYTES: usize = 14 << 20;
/// One connection to the database: SQLite's pages, statements and list of tables.
const CONNECTION_BYTES: usize = 2304 << 10;
/// Connections to the database: one that writes, and one for each thread that answers questions.
const CONNECTIONS: usize = 1 + INDEX_WORKERS;
/// One client: its read buffer, the beginning of a line, its tasks and queue, short replies.
const CLIENT_BYTES: usize = 40 << 10;
/// One block in the table of the chain.
pub const TABLE_BYTES_PER_BLOCK: usize = 16;
/// One block in the list that is made after blocks have moved to other positions, with a margin.
const LIST_BYTES_PER_BLOCK: usize = 17;
/// One remembered coin of a watched script.
const COIN_BYTES: usize = 70;
/// One watched script or outpoint.
const WATCHED_BYTES: usize = 120;
/// At least this much is divided, however small the budget: a budget that is too small is exceeded,
/// not refused.
const DIVIDED_BYTES_MIN: usize = 40 << 20;

/// The shares, in 64ths of what remains after the parts of fixed size.
const PARTS: [usize; 9] =
    [RECENT, MEMPOOL, TXIDS, COINS, WATCHED, SUMMARIES, SPANS, REQUESTS, REPLIES];
const RECENT: usize = 10;
const MEMPOOL: usize = 18;
const TXIDS: usize = 5;
const COINS: usize = 2;
const WATCHED: usize = 3;
const SUMMARIES: usize = 6;
const SPANS: usize = 4;
const REQUESTS: usize = 4;
const REPLIES: usize = 12;

/// How much memory, or how many entries, each part may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Bytes for the newest blocks; beyond that, blocks are written to a run.
    pub recent_bytes: usize,
    /// Bytes for unconfirmed transactions; beyond that, those with the lowest fee rates are left
    /// out.
    pub mempool_bytes: usize,
    /// Bytes set aside for the lists of txids while bitcoind's mempool and ours are compared;
    /// nothing enforces this share yet.
    pub txid_list_bytes: usize,
    /// Number of coins of watched scripts that are remembered.
    pub watched_coins: usize,
    /// Number of scripts and outpoints that all clients together may watch.
    pub watched: usize,
    /// Bytes for the summaries of scripts that are kept.
    pub summary_bytes: usize,
    /// Bytes for rows that tell where transactions stand.
    pub span_bytes: usize,
    /// Bytes for requests being read and answered.
    pub request_bytes: usize,
    /// Bytes for replies that wait for their clients to take them.
    pub reply_bytes: usize,
}

impl Shares {
    /// The division of `memory` bytes where the chain has about `blocks` blocks and up to `clients`
    /// clients may be connected.
    pub fn of(memory_bytes: u64, blocks: usize, clients: usize) -> Shares {
        let all = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        let left = all.saturating_sub(fixed_bytes(blocks, clients)).max(DIVIDED_BYTES_MIN);
        let part = |parts: usize| left / 64 * parts;
        Shares {
            recent_bytes: part(RECENT),
            mempool_bytes: part(MEMPOOL),
            txid_list_bytes: part(TXIDS),
            watched_coins: (part(COINS) / COIN_BYTES).min(WATCHED_COINS_MAX),
            watched: (part(WATCHED) / WATCHED_BYTES).min(MAX_WATCHED),
            summary_bytes: part(SUMMARIES),
            span_bytes: part(SPANS),
            request_bytes: part(REQUESTS),
            reply_bytes: part(REPLIES).min(MAX_QUEUED_BYTES),
        }
    }

    /// The part of the waiting replies that one client may have.
    pub fn reply_bytes_per_client(&self) -> usize {
        (self.reply_bytes / 8 * 7).min(MAX_QUEUED_BYTES_PER_CLIENT)
    }

    /// Bytes of all shares together.
    pub fn sum(&self) -> usize {
        self.recent_bytes
            + self.mempool_bytes
            + self.txid_list_bytes
            + self.watched_coins * COIN_BYTES
            + self.watched * WATCHED_BYTES
            + self.summary_bytes
            + self.span_bytes
            + self.request_bytes
            + self.reply_bytes
    }
}

/// Bytes that are held whatever the budget is.
pub const fn fixed_bytes(blocks: usize, clients: usize) -> usize {
    PROCESS_BYTES
        + CONNECTIONS * CONNECTION_BYTES
        + blocks * (TABLE_BYTES_PER_BLOCK + LIST_BYTES_PER_BLOCK)
        + clients * CLIENT_BYTES
}

const fn sum_of(parts: [usize; 9]) -> usize {
    let (mut sum, mut i) = (0, 0);
    while i < parts.len() {
        sum += parts[i];
        i += 1;
    }
    sum
}

const _: () = assert!(sum_of(PARTS) == 64);
// the longest line takes twice its length in memory
const _: () = assert!(DIVIDED_BYTES_MIN / 64 * REQUESTS >= 2 * MAX_LINE_BYTES);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_CLIENTS;

    #[test]
    fn all_parts_together_stay_within_the_budget() {
        for mib in [128, 160, 256, 512, 1024, 4096] {
            for blocks in [0, 500_000, 1_000_000] {
                let memory_bytes = mib << 20;
                let shares = Shares::of(memory_bytes, blocks, MAX_CLIENTS);
                let all = shares.sum() + fixed_bytes(blocks, MAX_CLIENTS);
                assert!(
                    all as u64 <= memory_bytes,
                    "{all} of {mib} MiB at {blocks} blocks: {shares:?}"
                );
                assert!(shares.watched_coins > 0 && shares.watched >= 20_000, "{shares:?}");
                // a history of 100 000 entries can be sent, and a day's blocks fit in memory
                // unwritten
                assert!(shares.reply_bytes_per_client() >= 10 << 20, "{shares:?}");
            }
        }
        let smallest = Shares::of(64 << 20, 1_000_000, MAX_CLIENTS);
        assert!(smallest.request_bytes >= 2 * MAX_LINE_BYTES, "{smallest:?}");
    }
}
