//! Rows that each hold as many equal-sized items as fit into a quarter of a page, filed by the
//! numbers of the items.

use crate::limits::ROW_BYTES_MAX;

use super::rows::{CRC_BYTES, RowTable};

/// How many items of `size` bytes share a row.
pub const fn items_per_row(size: usize) -> u64 {
    ((ROW_BYTES_MAX - CRC_BYTES) / size) as u64
}

/// Key of the row that holds an item; all items are `size` bytes long.
pub const fn row_of(size: usize, item: u64) -> i64 {
    (item / items_per_row(size)) as i64
}

/// A row to be stored: its key and its sealed bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Key.
    pub key: i64,
    /// Bytes, checksum included.
    pub bytes: Vec<u8>,
}

/// Collects items of `N` bytes into rows; the last, partial row is written again as it grows.
#[derive(Clone, Debug)]
pub struct PageWriter<const N: usize> {
    table: RowTable,
    /// Number of the next item.
    next: u64,
    /// The items so far of the row that `next` falls into, without a checksum.
    partial: Vec<u8>,
    full: Vec<Row>,
    dirty: bool,
}

impl<const N: usize> PageWriter<N> {
    /// A writer whose next item is `next`. `row` is what is stored of the row that this item falls
    /// into; later items in it are dropped. `None` if it holds too few.
    pub fn resume(table: RowTable, next: u64, row: &[u8]) -> Option<Self> {
        let keep = (next % items_per_row(N)) as usize * N;
        let partial = row.get(..keep)?.to_vec();
        Some(PageWriter { table, next, partial, full: Vec::new(), dirty: false })
    }

    /// Number of the next item.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Appends an item.
    pub fn push(&mut self, item: &[u8; N]) {
        self.partial.extend(item);
        self.next += 1;
        self.dirty = true;
        if self.next.is_multiple_of(items_per_row(N)) {
            self.seal(self.next - 1);
            self.partial.clear();
            self.dirty = false;
        }
    }

    /// Appends items of zeros until `item` is the next one.
    pub fn skip_to(&mut self, item: u64) {
        assert!(self.next <= item, "pages go forward");
        while self.next < item {
            self.push(&[0; N]);
        }
    }

    /// The rows that changed since the last call, the partial one last.
    pub fn take_rows(&mut self) -> Vec<Row> {
        if self.dirty {
            self.seal(self.next);
            self.dirty = false;
        }
        std::mem::take(&mut self.full)
    }

    fn seal(&mut self, item: u64) {
        let key = row_of(N, item);
        // unused items are zeros and are never read, so a row of zeros alone is not stored
        if self.partial.iter().any(|byte| *byte != 0) {
            self.full.push(Row { key, bytes: self.table.sealed(key, &self.partial) });
        }
    }
}

/// The item of that number from its row; `None` if the row is too short.
pub fn item_of<const N: usize>(row: &[u8], item: u64) -> Option<&[u8; N]> {
    let start = (item % items_per_row(N)) as usize * N;
    row.get(start..start + N)?.first_chunk()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TABLE: RowTable = RowTable::fixed(7);

    #[test]
    fn items_come_back_after_any_restart() {
        let item = |n: u64| -> [u8; 84] { std::array::from_fn(|i| (n as usize * 7 + i) as u8) };
        let mut stored = std::collections::BTreeMap::new();
        let mut writer = PageWriter::<84>::resume(TABLE, 0, &[]).unwrap();
        for n in 0..200u64 {
            writer.push(&item(n));
            if n % 37 == 0 {
                for row in writer.take_rows() {
                    assert!(row.bytes.len() <= ROW_BYTES_MAX);
                    stored.insert(row.key, row.bytes);
                }
                let empty = Vec::new();
                let key = row_of(84, n + 1);
                let row = stored.get(&key).map_or(&empty[..], |row| TABLE.open(key, row).unwrap());
                writer = PageWriter::resume(TABLE, n + 1, row).unwrap();
            }
        }
        for row in writer.take_rows() {
            stored.insert(row.key, row.bytes);
        }
        for n in 0..200u64 {
            let key = row_of(84, n);
            assert_eq!(item_of(TABLE.open(key, &stored[&key]).unwrap(), n), Some(&item(n)));
        }
    }
}
