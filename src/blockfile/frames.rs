//! Records of a blk or rev file: magic, length, bytes; found by hopping, after rubbish by search.

use crate::error::{Error, Result};
use crate::limits::HOP_WINDOW_BYTES;

use super::dir::{BlockDir, FileNum, Kind, Raw};

/// The four bytes in front of every record of a network.
pub type Magic = [u8; 4];

/// Magic and length.
pub const FRAME_HEADER_BYTES: u32 = 8;

/// A place in a file where a record with a plausible length seems to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Offset of the first byte behind the length.
    pub offset: u32,
    /// Length of what follows.
    pub len: u32,
    /// Found where the record before ended (or at the start), not by searching.
    pub in_line: bool,
}

/// Walks the records of one file.
pub struct Frames<'a> {
    dir: &'a BlockDir,
    kind: Kind,
    file: FileNum,
    magic: Magic,
    /// Plausible lengths.
    lens: (u32, u32),
    /// Bytes behind the length that belong to the record without being counted.
    trailer: u32,
    at: u64,
    in_line: bool,
    skipped: u64,
    window: Window,
}

/// Bytes of the file around the place of interest.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    start: u64,
}

impl<'a> Frames<'a> {
    /// Starts at the beginning of a file. `lens`: smallest and largest plausible length;
    /// `trailer`: bytes after the counted ones (32 of checksum in rev files).
    pub fn new(
        dir: &'a BlockDir,
        kind: Kind,
        file: FileNum,
        magic: Magic,
        lens: (u32, u32),
        trailer: u32,
    ) -> Self {
        let window = Window::default();
        Frames { dir, kind, file, magic, lens, trailer, at: 0, in_line: true, skipped: 0, window }
    }

    /// Bytes passed over because they were no record; preallocated zeros do not count.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Bytes at `offset`, read through the window; fewer at the end of the file.
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

    /// The next record, or `None` at the end of the data. After the caller has looked at a frame
    /// that was not `in_line` and found it false, it calls [`Frames::reject`].
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        loop {
            let magic = self.magic;
            let head = self.peek(self.at, FRAME_HEADER_BYTES as usize)?;
            let Some((found, len)) = split_head(head) else {
                return Ok(None);
            };
            if found == magic && self.lens.0 <= len && len <= self.lens.1 {
                return self.frame_here(len).map(Some);
            }
            if self.only_zeros_follow()? {
                return Ok(None);
            }
            self.in_line = false;
            if !self.search()? {
                return Ok(None);
            }
        }
    }

    /// Says that the last frame was none: the search goes on one byte behind its magic's start.
    pub fn reject(&mut self, frame: Frame) {
        self.at = u64::from(frame.offset) - u64::from(FRAME_HEADER_BYTES) + 1;
        self.in_line = false;
        self.skipped += 1;
    }

    fn frame_here(&mut self, len: u32) -> Result<Frame> {
        let start = self.at + u64::from(FRAME_HEADER_BYTES);
        let offset = u32::try_from(start).map_err(|_| {
            let path = self.dir.file_path(self.kind, self.file);
            Error::Data(format!("{}: longer than the 4 GiB hekte reads", path.display()))
        })?;
        let frame = Frame { offset, len, in_line: self.in_line };
        self.at = start + u64::from(len) + u64::from(self.trailer);
        self.in_line = true;
        Ok(frame)
    }

    /// Whether the file, as stored, holds nothing but zeros from here to its end. bitcoind
    /// preallocates, and lays its key only over what it writes.
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

    /// Moves to the next magic behind the present place; `false` if there is none.
    fn search(&mut self) -> Result<bool> {
        let magic = self.magic;
        let from = self.at;
        let mut at = from + 1;
        loop {
            let bytes = self.peek(at, HOP_WINDOW_BYTES)?;
            if bytes.len() < magic.len() {
                self.skipped += at - from;
                return Ok(false);
            }
            if let Some(found) = bytes.windows(magic.len()).position(|place| place == magic) {
                self.at = at + found as u64;
                self.skipped += self.at - from;
                return Ok(true);
            }
            at += (bytes.len() - magic.len() + 1) as u64;
        }
    }
}

fn split_head(head: &[u8]) -> Option<(Magic, u32)> {
    let (magic, rest) = head.split_first_chunk::<4>()?;
    Some((*magic, u32::from_le_bytes(*rest.first_chunk::<4>()?)))
}
