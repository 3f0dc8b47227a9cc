//! Estimates how much disk an index takes, for the build and for `hekte check`, and checks that
//! there is room for the next step.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::host::disk;

use super::folder::{BULK_FILE, INDEX_FILE};

/// Bytes of blk and rev files that make one byte of index: the index takes 6.25 per cent of them,
/// with some to spare. Measured: 5.2 and 5.6 per cent on chains whose transactions have 380 bytes.
/// Those of the main net are larger: 36 to 40 GB are expected there for 802 GB of files, 5 per
/// cent.
const FILE_BYTES_PER_BYTE: u64 = 16;
/// Bytes of index that each block takes, however many transactions it has: 104 of its own and 7 of
/// a span.
const BLOCK_BYTES: u64 = 112;
/// The most disk that a build takes at once, in tenths of the finished index: for a while the runs,
/// and the base run that is merged from them, are both on the disk. Measured: 1.89 times the size
/// of the index is written in all.
const PEAK_TENTHS: u64 = 19;

/// The disk that an index needs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskNeed {
    /// Size of the finished index.
    pub index: u64,
    /// The most that is on the disk at once.
    pub peak: u64,
    /// How much the index still grows up to that peak.
    pub more: u64,
}

/// Estimates the disk for an index in `folder` that is made of `file_bytes` of blk and rev files
/// with `blocks` blocks (0 if their number is not known).
pub fn disk_need(folder: &Path, file_bytes: u64, blocks: u32) -> DiskNeed {
    let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |facts| facts.len());
    let (stored, runs) = (size(INDEX_FILE), folder.join(BULK_FILE).exists());
    need_beside(file_bytes, blocks, stored, runs.then(|| size(BULK_FILE)))
}

/// `stored` is the size of the index so far; `runs` that of the runs of a build that is not
/// finished.
fn need_beside(file_bytes: u64, blocks: u32, stored: u64, runs: Option<u64>) -> DiskNeed {
    let index = file_bytes / FILE_BYTES_PER_BYTE + u64::from(blocks) * BLOCK_BYTES;
    // a finished index only grows: it is never merged as a whole again
    let peak = match (runs, stored) {
        (None, 1..) => index.max(stored),
        _ => index / 10 * PEAK_TENTHS,
    };
    DiskNeed { index, peak, more: peak.saturating_sub(stored + runs.unwrap_or(0)) }
}

/// What is about to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A whole build, up to its peak.
    Build,
    /// One batch of a build.
    Batch,
    /// The oldest blocks in memory of an index that is served.
    NewestBlocks,
    /// One slice of a merge of an index that is served.
    Merge,
}

/// Fails unless `needed` bytes are free beside the `spare` bytes that are left to others: writing
/// must stop before the disk is full, since bitcoind may be using the same one. Without `spare`,
/// free space is not looked at.
pub fn check_room(path: &Path, step: Step, needed: u64, spare: Option<u64>) -> Result<()> {
    let Some(spare) = spare else { return Ok(()) };
    let needed = needed.saturating_add(spare);
    let free = disk::free_bytes(path)?;
    if free >= needed {
        return Ok(());
    }
    let (path, free, needed_up) = (path.display(), free >> 20, needed.div_ceil(1 << 20));
    let needed = needed >> 20;
    Err(Error::NoSpace(match step {
        Step::Build => format!(
            "{path}: {free} MiB are free, but the build needs up to {needed} MiB more. Free some \
             space, or choose a larger disk with --data-dir"
        ),
        Step::Batch => format!(
            "{path}: only {free} MiB are left on the disk, the next step needs {needed}. Nothing \
             is lost: free some space and start again, and hekte goes on where it stopped"
        ),
        Step::NewestBlocks => format!(
            "{path}: {free} MiB are left on the disk; writing the newest blocks needs {needed_up}"
        ),
        Step::Merge => {
            format!("{path}: {free} MiB are left on the disk; merging runs needs {needed_up}")
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_for_the_peak_and_for_growth() {
        let more = |stored, runs| need_beside(100_000, 0, stored, runs).more;
        assert_eq!(
            need_beside(100_000, 10, 0, None),
            DiskNeed { index: 7370, peak: 14_003, more: 14_003 }
        );
        assert_eq!(more(0, None), 11_875);
        assert_eq!(more(0, Some(0)), 11_875);
        assert_eq!(more(1000, Some(4000)), 6875);
        assert_eq!(more(6000, None), 250, "a finished index only grows");
        assert_eq!(more(9000, None), 0);
    }

    /// The chains of docs/benchmarks.md: bytes of blk and rev files, blocks, index, peak by what
    /// was written.
    #[test]
    fn what_was_measured_stays_below() {
        let measured = [
            (513_641_416, 621, 31_300_000, 58_700_000),
            (2_219_530_000, 2331, 136_720_384, 258_060_288),
            (522_350_240, 1_000_001, 121_077_760, 144_236_544),
        ];
        for (files, blocks, index, peak) in measured {
            let need = need_beside(files, blocks, 0, None);
            assert!(index <= need.index && need.index <= index * 5 / 4, "{need:?}");
            assert!(peak <= need.peak, "{need:?}");
        }
    }
}
