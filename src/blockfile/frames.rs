//! Records of a blk or rev file, found by hopping from one to the next, and after rubbish by
//! search.

use crate::error::{Error, Result};
use crate::limits::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, HOP_WINDOW_BYTES, UNDO_BYTES_MAX};

use super::dir::{BlockDir, FileNum, Kind, Raw};

/// The four bytes in front of every record of a network.
pub type Magic = [u8; 4];

/// The bytes of magic and length in front of a record.
pub const FRAME_HEADER_BYTES: u32 = 8;
/// Bytes of the checksum behind each undo record: SHA256d(hash of the previous block ‖ body). The
/// record's length does not count them.
pub const CHECKSUM_BYTES: usize = 32;

/// A position in a file where a record with a plausible length seems to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The offset of the first byte after the length.
    pub offset: u32,
    /// The length of the record's content.
    pub len: u32,
    /// Whether it was found where the previous record ended (or at the start), not by searching.
    pub in_line: bool,
}

/// Walks the records of one file.
pub struct Frames<'a> {
    dir: &'a BlockDir,
    kind: Kind,
    file: FileNum,
    magic: Magic,
    /// The smallest and largest plausible length.
    lens: (u32, u32),
    /// Bytes after the content that belong to the record, but are not counted in its length.
    trailer: u32,
    at: u64,
    in_line: bool,
    /// Where the record before `at` begins. Its length decided where to look next. If nothing is
    /// there, that record may be torn or its length damaged, so that it hides others.
    last: Option<u64>,
    skipped: u64,
    window: Window,
}

/// Bytes at the end of a record that are practically never all zero if the record is complete: a
/// block ends with a script and a lock time, an undo record with a checksum.
const END_BYTES: usize = 64;

/// A part of the file around the present position, held in memory.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    start: u64,
}

impl<'a> Frames<'a> {
    /// Starts at the beginning of a file.
    pub fn new(dir: &'a BlockDir, kind: Kind, file: FileNum, magic: Magic) -> Self {
        let (lens, trailer) = match kind {
            Kind::Block => ((BLOCK_BYTES_MIN, BLOCK_BYTES_MAX), 0),
            Kind::Undo => ((1, UNDO_BYTES_MAX), CHECKSUM_BYTES as u32),
        };
        let window = Window::default();
        let (at, in_line, last, skipped) = (0, true, None, 0);
        Frames { dir, kind, file, magic, lens, trailer, at, in_line, last, skipped, window }
    }

    /// The number of bytes skipped because they were no record; preallocated zeros do not count.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The bytes at `offset`, read through the window; fewer at the end of the file.
    pub fn peek(&mut self, offset: u64, len: usize) -> Result<&[u8]> {
        let held = self.window.start..self.window.start + self.window.bytes.len() as u64;
        if !(held.contains(&offset) && offset + len as u64 <= held.end) {
            self.window.bytes.resize(HOP_WINDOW_BYTES.max(len), 0);
            let bytes = &mut self.window.bytes;
            let filled = self.dir.read(self.kind, self.file, offset, bytes, Raw::No)?;
            self.window.bytes.truncate(filled);
            self.window.start = offset;
        }
        let from = (offset - self.window.start) as usize;
        let to = (from + len).min(self.window.bytes.len());
        Ok(self.window.bytes.get(from..to).unwrap_or_default())
    }

    /// The next record, or `None` at the end of the data. If the caller examines a frame that is
    /// not `in_line` and finds that it is no record, it must call [`Frames::reject`].
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        loop {
            let magic = self.magic;
            let head = self.peek(self.at, FRAME_HEADER_BYTES as usize)?;
            if let Some((found, len)) = split_head(head)
                && found == magic
                && (self.lens.0..=self.lens.1).contains(&len)
            {
                return self.frame_here(len).map(Some);
            }
            let end = self.only_zeros_follow()?;
            if end && self.last_is_whole()? {
                return Ok(None);
            }
            self.in_line = false;
            let wrong = self.at;
            let from = self.last.take().unwrap_or(wrong);
            if !self.search(from + 1, if end { wrong } else { u64::MAX })? {
                self.skipped += if end { 0 } else { self.at - wrong };
                return Ok(None);
            }
            self.skipped += if self.at < wrong { self.at - from } else { self.at - wrong };
        }
    }

    /// Takes the last frame as no record: the search continues one byte after the start of its
    /// magic.
    pub fn reject(&mut self, frame: Frame) {
        self.at = u64::from(frame.offset) - u64::from(FRAME_HEADER_BYTES) + 1;
        self.in_line = false;
        self.last = None;
        self.skipped += 1;
    }

    fn frame_here(&mut self, len: u32) -> Result<Frame> {
        let start = self.at + u64::from(FRAME_HEADER_BYTES);
        let offset = u32::try_from(start).map_err(|_| {
            let path = self.dir.file_path(self.kind, self.file);
            Error::Data(format!("{}: longer than the 4 GiB hekte reads", path.display()))
        })?;
        let frame = Frame { offset, len, in_line: self.in_line };
        self.last = Some(self.at);
        self.at = start + u64::from(len) + u64::from(self.trailer);
        self.in_line = true;
        Ok(frame)
    }

    /// Whether the file, as stored, holds only zeros from here to its end. These are preallocated
    /// space, as bitcoind applies its xor key only to what it writes.
    fn only_zeros_follow(&mut self) -> Result<bool> {
        let mut buffer = vec![0u8; HOP_WINDOW_BYTES];
        let mut at = self.at;
        loop {
            let filled = self.dir.read(self.kind, self.file, at, &mut buffer, Raw::Yes)?;
            if filled == 0 {
                return Ok(true);
            }
            if buffer[..filled].iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += filled as u64;
        }
    }

    /// Whether the last record seems to be complete up to the present position. It is not if the
    /// file ends earlier, or if the record ends with zeros, as it does when its length reaches into
    /// preallocated space.
    fn last_is_whole(&self) -> Result<bool> {
        if self.last.is_none() {
            return Ok(true);
        }
        let mut end = [0; END_BYTES];
        let Some(at) = self.at.checked_sub(END_BYTES as u64) else {
            return Ok(true);
        };
        let filled = self.dir.read(self.kind, self.file, at, &mut end, Raw::Yes)?;
        Ok(filled == END_BYTES && end != [0; END_BYTES])
    }

    /// Moves to the first magic at or after `from` and before `until`. Returns `false` if there is
    /// none, and then moves to the end of what was searched.
    fn search(&mut self, from: u64, until: u64) -> Result<bool> {
        let magic = self.magic;
        let mut at = from;
        while at < until {
            let bytes = self.peek(at, HOP_WINDOW_BYTES)?;
            if let Some(found) = bytes.windows(magic.len()).position(|place| place == magic) {
                self.at = at + found as u64;
                return Ok(self.at < until);
            }
            if bytes.len() < HOP_WINDOW_BYTES {
                at += bytes.len() as u64;
                break;
            }
            at += (bytes.len() - magic.len() + 1) as u64;
        }
        self.at = at.max(self.at);
        Ok(false)
    }
}

/// Splits the head of a record into magic and length.
pub(super) fn split_head(head: &[u8]) -> Option<(Magic, u32)> {
    let (magic, rest) = head.split_first_chunk::<4>()?;
    Some((*magic, u32::from_le_bytes(*rest.first_chunk::<4>()?)))
}
