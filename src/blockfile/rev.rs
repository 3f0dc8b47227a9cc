//! Undo records of one rev file, found by the checksum that ties each to the previous block's hash.

use bitcoin::hashes::Hash;

use crate::error::{Error, Result};
use crate::hash::sha256d;
use crate::ids::BlockHash;
use crate::limits::UNDO_BYTES_MAX;
use crate::parse::bytes::Cursor;

use super::dir::{BlockDir, FileNum, FilePos, Kind};
use super::frames::{CHECKSUM_BYTES, Frames, Magic};

/// The position of a record, and the number of transactions that it has undo data for.
#[derive(Clone, Copy, Debug)]
struct Record {
    offset: u32,
    len: u32,
    txs: u32,
}

/// The records of one rev file, in the order in which bitcoind connected the blocks.
#[derive(Debug)]
pub struct RevFile {
    file: FileNum,
    records: Vec<Record>,
    /// The checksums of records of blocks that have only a coinbase. Their body is one zero byte,
    /// so the checksum depends only on the previous block. Only the first half of each is kept,
    /// sorted: it identifies a record as well as the whole, and a file may have 100 000.
    empty: Vec<[u8; CHECKSUM_BYTES / 2]>,
}

impl RevFile {
    /// Lists the records of a file; a missing file has none.
    pub fn list(dir: &BlockDir, file: FileNum, magic: Magic) -> Result<RevFile> {
        let mut records = Vec::new();
        let mut empty = Vec::new();
        let mut frames = Frames::new(dir, Kind::Undo, file, magic);
        while let Some(frame) = frames.next_frame()? {
            let at = u64::from(frame.offset);
            let head = frames.peek(at, 9.min(frame.len as usize))?;
            let txs = Cursor::new(head).compact_size("").unwrap_or(u64::MAX);
            match u32::try_from(txs).ok().filter(|txs| *txs <= frame.len) {
                Some(0) if frame.len == 1 => {
                    let sum = frames.peek(at + 1, CHECKSUM_BYTES)?;
                    empty.extend(half(sum).filter(|_| sum.len() == CHECKSUM_BYTES));
                }
                Some(txs) => records.push(Record { offset: frame.offset, len: frame.len, txs }),
                None => {
                    frames.reject(frame);
                    continue;
                }
            }
            if !frame.in_line {
                // only the checksum will tell whether this is a record, so others may begin inside
                // of it
                frames.reject(frame);
            }
        }
        empty.sort_unstable();
        empty.dedup();
        empty.shrink_to_fit();
        records.shrink_to_fit();
        Ok(RevFile { file, records, empty })
    }

    /// The position of the record that [`RevFile::find`] found when it set `next`.
    pub fn offset_before(&self, next: usize) -> Option<u32> {
        self.records.get(next.checked_sub(1)?).map(|record| record.offset)
    }

    /// The number of records.
    pub fn count(&self) -> usize {
        self.records.len() + self.empty.len()
    }

    /// Reads into `body` the undo data of a block that has `txs` transactions beside its coinbase
    /// and stands on `previous`; `false` if no record fits. `next` is the index of the record
    /// to try first, and the search goes outwards from there; a caller that reads blocks in order
    /// passes the index after its last hit, which this sets.
    pub fn find(
        &self,
        dir: &BlockDir,
        previous: &BlockHash,
        txs: u32,
        body: &mut Vec<u8>,
        next: &mut usize,
    ) -> Result<bool> {
        if txs == 0 {
            body.clear();
            body.push(0);
            let sum = half(&sha256d(&[previous.as_byte_array(), &[0]]));
            return Ok(sum.is_some_and(|sum| self.empty.binary_search(&sum).is_ok()));
        }
        let start = (*next).min(self.records.len());
        let mut after = start..self.records.len();
        let mut before = (0..start).rev();
        while !(after.is_empty() && before.len() == 0) {
            for i in [after.next(), before.next()].into_iter().flatten() {
                let record = self.records[i];
                if record.txs == txs && self.read(dir, record, previous, body)? {
                    *next = i + 1;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The undo data of every block whose parent is `previous` and that has `txs` transactions
    /// beside its coinbase, in the order of the file.
    pub fn find_all(&self, dir: &BlockDir, previous: &BlockHash, txs: u32) -> Result<Vec<Vec<u8>>> {
        let mut bodies = Vec::new();
        for record in self.records.iter().filter(|record| record.txs == txs) {
            let mut body = Vec::new();
            if self.read(dir, *record, previous, &mut body)? {
                bodies.push(body);
            }
        }
        Ok(bodies)
    }

    fn read(
        &self,
        dir: &BlockDir,
        record: Record,
        previous: &BlockHash,
        body: &mut Vec<u8>,
    ) -> Result<bool> {
        if record.len > UNDO_BYTES_MAX {
            return Err(Error::Data(format!(
                "{}: undo record of {} bytes at offset {}, over the {UNDO_BYTES_MAX} hekte reads",
                dir.file_path(Kind::Undo, self.file).display(),
                record.len,
                record.offset
            )));
        }
        let end = u64::from(record.offset) + u64::from(record.len) + CHECKSUM_BYTES as u64;
        if end > dir.len(Kind::Undo, self.file)? {
            return Ok(false);
        }
        body.resize(record.len as usize + CHECKSUM_BYTES, 0);
        let pos = FilePos { file: self.file, offset: record.offset };
        if !dir.read_exact(Kind::Undo, pos, body)? {
            return Ok(false);
        }
        dir.forget(Kind::Undo, pos, record.len);
        let sum = body.split_off(record.len as usize);
        Ok(sum == sha256d(&[previous.as_byte_array(), body]))
    }
}

fn half(sum: &[u8]) -> Option<[u8; CHECKSUM_BYTES / 2]> {
    sum.first_chunk().copied()
}
