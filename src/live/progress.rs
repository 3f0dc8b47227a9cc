//! How far hekte is, as the sync thread counts it: for the log, the terminal, systemd, dashboards
//! and clients.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use crate::host::lock::lock;
use crate::ids::Height;

/// What the sync thread is busy with.
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
    /// The build is done: following the tip.
    Following,
}

impl Stage {
    /// All of them, in the order of a build.
    pub const ALL: [Stage; 5] =
        [Stage::Waiting, Stage::Scanning, Stage::Reading, Stage::Merging, Stage::Following];

    /// The name that people and dashboards see.
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

/// How far hekte is at one moment, for people and dashboards.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressReport {
    /// The stage.
    pub stage: Stage,
    /// Whether every question is answered.
    pub serving: bool,
    /// The height of the tip that is served; while none is, the last height indexed.
    pub height: u32,
    /// The last height there will be at the end of the stage.
    pub target: u32,
    /// How much of the stage is done.
    pub percent: f64,
    /// Seconds since the stage began.
    pub seconds: u64,
    /// Seconds until the stage ends, at its present pace.
    pub seconds_left: Option<u64>,
    /// Bytes of blocks read lately, while blocks are read.
    pub bytes_per_second: Option<u64>,
    /// What keeps hekte from going on.
    pub trouble: Option<String>,
}

impl ProgressReport {
    /// The height of the last block that is known of, indexed or not.
    pub fn last_known(&self) -> u32 {
        self.target.max(self.height)
    }
}

/// A figure that threads share and that may be unknown, as it is at first.
#[derive(Debug)]
pub struct Estimate(AtomicU64);

impl Estimate {
    /// Stands for an unknown figure; a known one is never so large.
    const UNKNOWN: u64 = u64::MAX;

    /// The figure, if it is known.
    pub fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|figure| *figure != Estimate::UNKNOWN)
    }

    /// Sets the figure, or that it is unknown.
    pub fn set(&self, figure: Option<u64>) {
        self.0.store(figure.unwrap_or(Estimate::UNKNOWN), Ordering::Relaxed);
    }
}

impl Default for Estimate {
    fn default() -> Estimate {
        Estimate(AtomicU64::new(Estimate::UNKNOWN))
    }
}

/// The stage that was entered last, and when that was.
#[derive(Clone, Copy, Debug)]
struct Entered {
    stage: Stage,
    at: Instant,
}

/// Counters that threads share: the sync thread sets them, and those that report read them.
#[derive(Debug)]
pub struct Progress {
    entered: Mutex<Entered>,
    /// Blocks indexed so far.
    pub blocks: AtomicU32,
    /// Blocks there will be at the end of the stage.
    pub target: AtomicU32,
    /// Block files that were looked through.
    pub files: AtomicU32,
    /// Block files to look through, those included.
    pub files_total: AtomicU32,
    /// Bytes of blocks indexed, those before a restart included.
    pub bytes: AtomicU64,
    /// Bytes of blocks to index, those included.
    pub bytes_total: AtomicU64,
    /// Postings merged.
    pub merged: AtomicU64,
    /// Postings to merge, those included.
    pub merged_total: AtomicU64,
    /// Seconds until the stage is done, at its present pace.
    pub seconds_left: Estimate,
    /// Bytes of blocks read in a second lately.
    pub bytes_per_second: Estimate,
    trouble: Mutex<Option<String>>,
}

impl Default for Progress {
    fn default() -> Self {
        Progress {
            entered: Mutex::new(Entered { stage: Stage::Waiting, at: Instant::now() }),
            blocks: AtomicU32::new(0),
            target: AtomicU32::new(0),
            files: AtomicU32::new(0),
            files_total: AtomicU32::new(0),
            bytes: AtomicU64::new(0),
            bytes_total: AtomicU64::new(0),
            merged: AtomicU64::new(0),
            merged_total: AtomicU64::new(0),
            seconds_left: Estimate::default(),
            bytes_per_second: Estimate::default(),
            trouble: Mutex::default(),
        }
    }
}

impl Progress {
    /// Enters a stage. Its counters must be set before, so that no reader sees them fall during the
    /// stage.
    pub fn enter(&self, stage: Stage) {
        self.seconds_left.set(None);
        self.bytes_per_second.set(None);
        *lock(&self.entered) = Entered { stage, at: Instant::now() };
    }

    /// The present stage.
    pub fn stage(&self) -> Stage {
        lock(&self.entered).stage
    }

    /// What keeps hekte from going on, if anything.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Sets the trouble, or that there is none any more; returns whether there was some before.
    pub fn set_trouble(&self, trouble: Option<String>) -> bool {
        let mut slot = lock(&self.trouble);
        std::mem::replace(&mut *slot, trouble).is_some()
    }

    /// How far hekte is now; `served` is the height of the tip that is served, if one is.
    pub fn report(&self, served: Option<Height>) -> ProgressReport {
        let Entered { stage, at } = *lock(&self.entered);
        let indexed = self.blocks.load(Ordering::Relaxed).saturating_sub(1);
        ProgressReport {
            stage,
            serving: served.is_some(),
            height: served.map_or(indexed, |tip| tip.0),
            target: self.target.load(Ordering::Relaxed).saturating_sub(1),
            percent: (self.fraction_of(stage) * 1000.0).floor() / 10.0,
            seconds: at.elapsed().as_secs(),
            seconds_left: self.seconds_left.get(),
            bytes_per_second: self.bytes_per_second.get(),
            trouble: self.trouble(),
        }
    }

    /// How much of the present stage is done, 0.0 to 1.0.
    pub fn fraction(&self) -> f64 {
        self.fraction_of(self.stage())
    }

    fn fraction_of(&self, stage: Stage) -> f64 {
        let (done, all) = match stage {
            Stage::Waiting => return 0.0,
            Stage::Following => return 1.0,
            Stage::Scanning => (
                u64::from(self.files.load(Ordering::Relaxed)),
                u64::from(self.files_total.load(Ordering::Relaxed)),
            ),
            Stage::Reading => {
                (self.bytes.load(Ordering::Relaxed), self.bytes_total.load(Ordering::Relaxed))
            }
            Stage::Merging => {
                (self.merged.load(Ordering::Relaxed), self.merged_total.load(Ordering::Relaxed))
            }
        };
        if all == 0 { 0.0 } else { (done as f64 / all as f64).min(1.0) }
    }
}
