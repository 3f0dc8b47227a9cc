//! Rows of transaction lengths: from a txnum to its place in its block.
//!
//! A row is filed under the txnum of its first transaction. Its bytes: offset of that transaction
//! in its block (u32, little-endian), lengths of it and those that follow (LEB128, seven bits a
//! byte, least significant first), CRC32C as in every row. Where a next block begins, offsets
//! start again behind that block's header and count.

use crate::ids::TxNum;
use crate::limits::CHUNK_BYTES_MAX;

use super::chunk::sealed;
use super::extract::first_tx_offset;
use super::pages::Row;

const OFFSET_BYTES: usize = 4;
const TOP_BITS: u64 = 0x8080_8080_8080_8080;
const CRC_BYTES: usize = 4;
/// A length below 2^32 takes at most so many bytes.
const LEB_BYTES_MAX: usize = 5;
/// Lengths in a full row if each takes two bytes, as nearly all do: so far behind the row's first
/// transaction is its last one.
pub const LENS_PER_ROW: u32 =
    ((CHUNK_BYTES_MAX - LEB_BYTES_MAX - CRC_BYTES - OFFSET_BYTES) / 2 + 1) as u32;

/// Collects lengths into rows; the last, partial row is written again as it grows.
#[derive(Clone, Debug)]
pub struct LensWriter {
    next: u32,
    row: Vec<u8>,
    row_first: u32,
    full: Vec<Row>,
    dirty: bool,
}

impl LensWriter {
    /// Starts with an empty row before transaction `next`.
    pub fn new(next: TxNum) -> LensWriter {
        LensWriter { next: next.0, row: Vec::new(), row_first: next.0, full: vec![], dirty: false }
    }

    /// Goes on in a stored row; keeps what lies before `next`.
    pub fn resume(next: TxNum, row_first: TxNum, row: &[u8]) -> Option<LensWriter> {
        let count = next.0.checked_sub(row_first.0)?;
        if count == 0 {
            return Some(LensWriter::new(next));
        }
        let mut at = OFFSET_BYTES;
        for _ in 0..count {
            read_leb(row, &mut at)?;
        }
        let row = row.get(..at)?.to_vec();
        Some(LensWriter { next: next.0, row, row_first: row_first.0, full: vec![], dirty: false })
    }

    /// Appends the lengths of a block's transactions.
    pub fn push_block(&mut self, lens: &[u32]) {
        let mut offset = first_tx_offset(lens.len() as u32);
        for &len in lens {
            if self.row.len() + LEB_BYTES_MAX + CRC_BYTES > CHUNK_BYTES_MAX {
                self.seal();
                self.row.clear();
            }
            if self.row.is_empty() {
                self.row_first = self.next;
                self.row.extend(offset.to_le_bytes());
            }
            write_leb(&mut self.row, len);
            self.next += 1;
            self.dirty = true;
            offset += len;
        }
    }

    /// The rows that changed since the last call, the partial one last.
    pub fn take_rows(&mut self) -> Vec<Row> {
        if self.dirty {
            self.seal();
            self.dirty = false;
        }
        std::mem::take(&mut self.full)
    }

    fn seal(&mut self) {
        let key = i64::from(self.row_first);
        self.full.push(Row { key, bytes: sealed(key, &self.row) });
    }
}

/// Finds places in one row; cheap for ascending txnums, since it remembers where it stands.
#[derive(Clone, Debug)]
pub struct LensCursor {
    row: Vec<u8>,
    first: u32,
    /// Next transaction to be read, its byte in the row, its offset in the block.
    at: u32,
    byte: usize,
    offset: u32,
}

impl LensCursor {
    /// Starts in a row (without checksum).
    pub fn new(first: TxNum, row: Vec<u8>) -> Option<LensCursor> {
        let offset = u32::from_le_bytes(*row.first_chunk()?);
        Some(LensCursor { row, first: first.0, at: first.0, byte: OFFSET_BYTES, offset })
    }

    /// Offset in its block and length of a transaction; `block_first` and `block_txs` are those of
    /// its block. `None` if the row does not hold it.
    pub fn locate(
        &mut self,
        txnum: TxNum,
        block_first: TxNum,
        block_txs: u32,
    ) -> Option<(u32, u32)> {
        if txnum.0 < self.first {
            return None;
        }
        if txnum.0 < self.at {
            self.at = self.first;
            self.byte = OFFSET_BYTES;
            self.offset = u32::from_le_bytes(*self.row.first_chunk()?);
        }
        let (mut at, mut byte, mut offset) = (self.at, self.byte, self.offset);
        if at <= block_first.0 && block_first <= txnum {
            // lengths of other blocks do not matter
            byte = skip_lebs(&self.row, byte, block_first.0 - at)?;
            at = block_first.0;
            offset = first_tx_offset(block_txs);
        }
        while txnum.0 - at >= 16
            && let Some(sum) = sum_of_sixteen(&self.row, byte)
        {
            offset = offset.checked_add(sum)?;
            (at, byte) = (at + 16, byte + 32);
        }
        while txnum.0 - at >= 4
            && let Some(four) = sum_of_four(&self.row, byte)
        {
            offset = offset.checked_add(four)?;
            (at, byte) = (at + 4, byte + 8);
        }
        while at < txnum.0 {
            offset = offset.checked_add(read_leb(&self.row, &mut byte)?)?;
            at += 1;
        }
        (self.at, self.byte, self.offset) = (at, byte, offset);
        Some((offset, read_leb(&self.row, &mut byte)?))
    }
}

/// The lengths in a row (without checksum) in order.
pub fn lens_of(row: &[u8]) -> Option<Vec<u32>> {
    let mut at = OFFSET_BYTES;
    let mut lens = Vec::new();
    while at < row.len() {
        lens.push(read_leb(row, &mut at)?);
    }
    Some(lens)
}

fn write_leb(bytes: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Where the number behind `count` others begins. 32 or eight bytes at a time: each number has one
/// byte without a top bit.
fn skip_lebs(bytes: &[u8], mut at: usize, mut count: u32) -> Option<usize> {
    while count > 32 {
        let Some(many) = bytes.get(at..).and_then(|rest| rest.first_chunk::<32>()) else { break };
        count -= u32::from(many.iter().map(|byte| byte >> 7 ^ 1).sum::<u8>());
        at += 32;
    }
    while count > 8 {
        let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        count -= (!u64::from_ne_bytes(*eight) & TOP_BITS).count_ones();
        at += 8;
    }
    while count > 0 {
        count -= u32::from(bytes.get(at)? & 0x80 == 0);
        at += 1;
    }
    Some(at)
}

/// The sum of the next sixteen numbers if they take two bytes each.
fn sum_of_sixteen(bytes: &[u8], at: usize) -> Option<u32> {
    let many = bytes.get(at..)?.first_chunk::<32>()?;
    let (mut low, mut high, mut tops) = (0u16, 0u16, 0u16);
    for pair in many.as_chunks::<2>().0 {
        let both = u16::from_le_bytes(*pair);
        low += both & 0x7f;
        high += both >> 8;
        tops |= (both & 0x8080) ^ 0x0080;
    }
    (tops == 0).then_some(u32::from(low) + (u32::from(high) << 7))
}

/// The sum of the next four numbers if they take two bytes each, as nearly all lengths do.
fn sum_of_four(bytes: &[u8], at: usize) -> Option<u32> {
    let four = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?);
    if four & TOP_BITS != 0x0080_0080_0080_0080 {
        return None;
    }
    // in each 16 bits a number below 2^14; the product's upper 16 bits are the sum of all
    let each = four & 0x007f_007f_007f_007f | (four & 0x7f00_7f00_7f00_7f00) >> 1;
    Some((each.wrapping_mul(0x0001_0001_0001_0001) >> 48) as u32)
}

#[inline]
fn read_leb(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::index::chunk::open_row;
    use std::collections::BTreeMap;

    #[test]
    fn every_transaction_is_found_whatever_the_restarts() {
        let blocks: Vec<Vec<u32>> = (0..300u32)
            .map(|h| (0..h % 41 + 1).map(|i| 60 + (h * 77 + i * 991) % 40_000).collect())
            .collect();
        let mut rows = BTreeMap::new();
        let mut writer = LensWriter::new(TxNum(0));
        let mut next = 0u32;
        for (height, lens) in blocks.iter().enumerate() {
            writer.push_block(lens);
            next += lens.len() as u32;
            if height % 50 == 49 {
                rows.extend(writer.take_rows().into_iter().map(|row| (row.key, row.bytes)));
                let (&key, row) = rows.range(..i64::from(next)).next_back().unwrap();
                let row = open_row(key, row).unwrap();
                writer = LensWriter::resume(TxNum(next), TxNum(key as u32), row).unwrap();
            }
        }
        assert!(rows.len() > 3 && rows.values().all(|row| row.len() <= CHUNK_BYTES_MAX));
        let mut first = 0u32;
        for lens in &blocks {
            let mut offset = first_tx_offset(lens.len() as u32);
            for (i, &len) in lens.iter().enumerate() {
                let txnum = first + i as u32;
                let (&key, row) = rows.range(..=i64::from(txnum)).next_back().unwrap();
                let row = open_row(key, row).unwrap().to_vec();
                let mut cursor = LensCursor::new(TxNum(key as u32), row).unwrap();
                for _ in 0..2 {
                    let place = cursor.locate(TxNum(txnum), TxNum(first), lens.len() as u32);
                    assert_eq!(place, Some((offset, len)));
                }
                offset += len;
            }
            first += lens.len() as u32;
        }
    }
}
