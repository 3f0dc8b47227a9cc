//! How much disk an index takes: one estimate, for the build and for `hekte check`.

use std::fs;
use std::path::Path;

use super::build::build::{BULK_FILE, INDEX_FILE};

/// One byte of index for so many of the blk and rev files, 6.25 per cent. Measured: 6.1 and 6.2 on
/// chains of transactions of 380 bytes; main net's are larger, and 36 to 40 GB on 802 GB are
/// projected, 5 per cent.
const FILE_BYTES_PER_BYTE: u64 = 16;
/// Bytes of a block whatever is in it.
const BLOCK_BYTES: u64 = 96;
/// The most that is there at once, in tenths of the finished index: runs and the base run side by
/// side. Measured: 1.89 times its size is written in all.
const PEAK_TENTHS: u64 = 19;

/// What a folder will hold, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// The finished index.
    pub index: u64,
    /// The most that is there at once.
    pub peak: u64,
    /// What is to come on top of what is there.
    pub more: u64,
}

/// The room for an index in `folder` of files of `file_bytes` (blk and rev) with so many blocks, as
/// far as that is known.
pub fn room(folder: &Path, file_bytes: u64, blocks: u32) -> Room {
    let size = |name: &str| fs::metadata(folder.join(name)).map_or(0, |facts| facts.len());
    let (stored, runs) = (size(INDEX_FILE), folder.join(BULK_FILE).exists());
    room_beside(file_bytes, blocks, stored, runs.then(|| size(BULK_FILE)))
}

/// `runs`: bytes of the runs of a build that is not finished.
fn room_beside(file_bytes: u64, blocks: u32, stored: u64, runs: Option<u64>) -> Room {
    let index = file_bytes / FILE_BYTES_PER_BYTE + u64::from(blocks) * BLOCK_BYTES;
    // an index that was finished once only grows: nothing of it is merged again at once
    let peak = match (runs, stored) {
        (None, 1..) => index.max(stored),
        _ => index / 10 * PEAK_TENTHS,
    };
    Room { index, peak, more: peak.saturating_sub(stored + runs.unwrap_or(0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_for_the_peak_and_for_growth() {
        let more = |stored, runs| room_beside(100_000, 0, stored, runs).more;
        assert_eq!(
            room_beside(100_000, 10, 0, None),
            Room { index: 7210, peak: 13_699, more: 13_699 }
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
            let room = room_beside(files, blocks, 0, None);
            assert!(index <= room.index && room.index <= index * 5 / 4, "{room:?}");
            assert!(peak <= room.peak, "{room:?}");
        }
    }
}
