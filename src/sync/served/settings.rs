//! When blocks in memory are written, and how: the limits that upkeep of a served index keeps to.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{
    FREE_BYTES_MIN, RECENT_BLOCKS_FLUSH, RECENT_BLOCKS_KEPT, RECENT_BLOCKS_MAX, RECENT_BLOCKS_MIN,
    UPKEEP_SLICE_BYTES,
};
use crate::live::recent::RecentBlock;

/// Pause before another try where the disk is full.
const RETRY_PAUSE: Duration = Duration::from_secs(10);

/// How blocks wait in memory, and how they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpkeepSettings {
    /// Number of the newest blocks that stay in memory.
    pub kept: usize,
    /// With this many blocks in memory, all but the newest are written.
    pub flush_at: usize,
    /// With this many blocks that cannot be written, no more are taken.
    pub most: usize,
    /// With more bytes of blocks than this in memory, the oldest are written sooner; with one and a
    /// half times these bytes, no more are taken.
    pub recent_bytes: usize,
    /// Bytes that a merge writes in one transaction.
    pub slice_bytes: u64,
    /// Bytes that are left free on the disk; `None`: free space is not looked at.
    pub spare_bytes: Option<u64>,
    /// Pause before another try where the disk is full.
    pub retry_pause: Duration,
}

impl Default for UpkeepSettings {
    fn default() -> Self {
        UpkeepSettings {
            kept: RECENT_BLOCKS_KEPT,
            flush_at: RECENT_BLOCKS_FLUSH,
            most: RECENT_BLOCKS_MAX,
            recent_bytes: usize::MAX,
            slice_bytes: UPKEEP_SLICE_BYTES,
            spare_bytes: Some(FREE_BYTES_MIN),
            retry_pause: RETRY_PAUSE,
        }
    }
}

impl UpkeepSettings {
    /// How many of the oldest blocks in memory should be written. With `flush_at` blocks it is all
    /// but the newest `kept`; with fewer that take more than `recent_bytes`, as many as bring them
    /// down to half of that.
    pub fn flush_count(&self, recent: &[Arc<RecentBlock>]) -> usize {
        if recent.len() >= self.flush_at {
            return recent.len() - self.kept;
        }
        let mut bytes = bytes_of(recent);
        if bytes <= self.recent_bytes {
            return 0;
        }
        let may_go = recent.len().saturating_sub(RECENT_BLOCKS_MIN);
        let oldest = recent.iter().take(may_go).take_while(|block| {
            let over = bytes > self.recent_bytes / 2;
            bytes -= block.held_bytes();
            over
        });
        oldest.count()
    }

    /// Whether memory holds as many blocks as it may.
    pub fn is_full(&self, recent: &[Arc<RecentBlock>]) -> bool {
        let most = self.recent_bytes;
        recent.len() >= self.most
            || recent.len() > RECENT_BLOCKS_MIN && bytes_of(recent) >= most.saturating_add(most / 2)
    }
}

/// Bytes that blocks take in memory.
pub fn bytes_of(recent: &[Arc<RecentBlock>]) -> usize {
    recent.iter().map(|block| block.held_bytes()).sum()
}
