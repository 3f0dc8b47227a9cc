//! How far a build is, for the log, the terminal, the tip that is served meanwhile and systemd.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// What a build is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Waiting for bitcoind.
    Waiting,
    /// Looking for blocks in the files.
    Scanning,
    /// Reading blocks.
    Reading,
    /// Merging runs.
    Merging,
    /// Done: following the tip.
    Following,
}

impl Stage {
    /// A word for people.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Waiting => "waiting for bitcoind",
            Stage::Scanning => "scanning block files",
            Stage::Reading => "reading blocks",
            Stage::Merging => "merging",
            Stage::Following => "following the tip",
        }
    }
}

/// What a build has come to at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// The stage in words.
    pub phase: &'static str,
    /// Last height indexed.
    pub height: u32,
    /// Last height there will be.
    pub target: u32,
    /// Of the stage.
    pub percent: f64,
    /// Since the stage began.
    pub seconds: u64,
    /// What keeps hekte from going on.
    pub trouble: Option<String>,
}

/// Shared counters; written by the sync thread, read by whoever reports.
#[derive(Debug)]
pub struct Progress {
    stage: Mutex<(Stage, Instant)>,
    /// Blocks indexed so far.
    pub blocks: AtomicU32,
    /// Blocks there will be.
    pub target: AtomicU32,
    /// Bytes of blocks read, and in all.
    pub bytes: AtomicU64,
    /// See `bytes`.
    pub bytes_total: AtomicU64,
    /// Parts of 1000 of the merge that are done.
    pub merged: AtomicU32,
    trouble: Mutex<Option<String>>,
    /// Someone wants hekte to stop.
    pub stop: AtomicBool,
}

impl Default for Progress {
    fn default() -> Self {
        Progress {
            stage: Mutex::new((Stage::Waiting, Instant::now())),
            blocks: AtomicU32::new(0),
            target: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            bytes_total: AtomicU64::new(0),
            merged: AtomicU32::new(0),
            trouble: Mutex::default(),
            stop: AtomicBool::new(false),
        }
    }
}

impl Progress {
    /// Enters a stage.
    pub fn enter(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = (stage, Instant::now());
    }

    /// The present stage and since when.
    pub fn stage(&self) -> (Stage, Instant) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether to stop.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// What keeps hekte from going on, if anything.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes it, or that there is none any more; whether there was some before.
    pub fn set_trouble(&self, trouble: Option<String>) -> bool {
        let mut slot = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, trouble).is_some()
    }

    /// Everything at once, for people and dashboards.
    pub fn told(&self) -> Told {
        let (stage, since) = self.stage();
        Told {
            phase: stage.name(),
            height: self.blocks.load(Ordering::Relaxed).saturating_sub(1),
            target: self.target.load(Ordering::Relaxed).saturating_sub(1),
            percent: (self.fraction() * 1000.0).round() / 10.0,
            seconds: since.elapsed().as_secs(),
            trouble: self.trouble(),
        }
    }

    /// How much of the present stage is done, 0.0 to 1.0.
    pub fn fraction(&self) -> f64 {
        let part = |done: u64, all: u64| if all == 0 { 0.0 } else { done as f64 / all as f64 };
        match self.stage().0 {
            Stage::Reading => {
                part(self.bytes.load(Ordering::Relaxed), self.bytes_total.load(Ordering::Relaxed))
            }
            Stage::Merging => part(u64::from(self.merged.load(Ordering::Relaxed)), 1000),
            Stage::Following => 1.0,
            Stage::Waiting | Stage::Scanning => 0.0,
        }
    }
}
