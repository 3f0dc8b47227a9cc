//! Finds the blocks of a block file, by hopping from header to header.

use log::warn;

use crate::blockfile::dir::{BlockDir, FileNum, FilePos, Kind};
use crate::blockfile::frames::{Frame, Frames, Magic};
use crate::error::Result;
use crate::host::beat;
use crate::ids::HeaderBytes;
use crate::parse::block::check_block;

/// What one block file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileScan {
    /// The number of records found.
    pub blocks: u32,
    /// The bytes of their blocks, without magic and length.
    pub bytes: u64,
    /// Bytes that were neither records nor preallocated zeros.
    pub rubbish: u64,
}

/// Calls `found_at` for every block of one file. A block whose record follows rubbish is checked as
/// a whole here; the others are checked when they are read.
pub fn scan_file(
    dir: &BlockDir,
    file: FileNum,
    magic: Magic,
    mut found_at: impl FnMut(&HeaderBytes, FilePos),
) -> Result<FileScan> {
    beat::step();
    let mut frames = Frames::new(dir, Kind::Block, file, magic);
    let mut found = FileScan::default();
    while let Some(frame) = frames.next_frame()? {
        let pos = FilePos { file, offset: frame.offset };
        let header: Option<HeaderBytes> = frames.peek(u64::from(frame.offset), 80)?.try_into().ok();
        match header {
            Some(header) if frame.in_line || holds_together(dir, file, frame)? => {
                found_at(&header, pos);
                found.blocks += 1;
                found.bytes += u64::from(frame.len);
            }
            _ => frames.reject(frame),
        }
    }
    found.rubbish = frames.skipped();
    if found.rubbish > 0 {
        warn!(
            "{}: passed over {} bytes that are no block record (left behind when bitcoind was \
             killed, or damage); blocks that are missing will be named",
            dir.file_path(Kind::Block, file).display(),
            found.rubbish
        );
    }
    Ok(found)
}

fn holds_together(dir: &BlockDir, file: FileNum, frame: Frame) -> Result<bool> {
    let mut bytes = vec![0; frame.len as usize];
    let whole = dir.read_exact(Kind::Block, FilePos { file, offset: frame.offset }, &mut bytes)?;
    Ok(whole && check_block(&bytes).is_ok())
}
