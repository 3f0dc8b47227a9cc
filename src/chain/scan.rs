//! Finds the blocks of a block file, by hopping from header to header.

use log::warn;

use crate::blockfile::dir::{BlockDir, FileNum, FilePos, Kind};
use crate::blockfile::frames::{Frame, Frames, Magic};
use crate::error::Result;
use crate::host::beat;
use crate::ids::HeaderBytes;
use crate::parse::block::check_block;

/// What one file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileScan {
    /// Records found.
    pub blocks: u32,
    /// Bytes of these, without what frames them.
    pub bytes: u64,
    /// Bytes that were neither records nor preallocated zeros.
    pub rubbish: u64,
}

/// Tells `found_at` of every block of one file. A record that follows rubbish is believed only if
/// the whole block holds together; the others when they are read.
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
