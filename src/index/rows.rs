//! The checksum of every row. It covers the table and the key as well as the bytes, so that a row
//! that comes back from another place is noticed.

/// Bytes of a checksum.
pub const CRC_BYTES: usize = 4;

/// Numbers below this stand for tables that every index has, all others for tables of runs.
const RUNS_FROM: u64 = 1 << 8;

/// The table that a row belongs to, as a number that the row's checksum covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowTable(u64);

impl RowTable {
    /// One of the tables that every index has.
    pub const fn fixed(number: u8) -> RowTable {
        RowTable(number as u64)
    }

    /// The table of the run with that number.
    pub const fn of_run(id: i64) -> RowTable {
        RowTable((id as u64).wrapping_add(RUNS_FROM))
    }

    /// CRC32C over table, key and bytes.
    pub fn crc(self, key: i64, bytes: &[u8]) -> u32 {
        let [place, filed] = [self.0.to_be_bytes(), key.to_be_bytes()];
        crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(&place), &filed), bytes)
    }

    /// Appends the checksum to a row.
    pub fn seal(self, key: i64, bytes: &mut Vec<u8>) {
        let crc = self.crc(key, bytes);
        bytes.extend(crc.to_le_bytes());
    }

    /// A sealed copy of a row, with no byte to spare: a batch holds tens of thousands of them.
    pub fn sealed(self, key: i64, bytes: &[u8]) -> Vec<u8> {
        let mut row = Vec::with_capacity(bytes.len() + CRC_BYTES);
        row.extend_from_slice(bytes);
        self.seal(key, &mut row);
        row
    }

    /// The row without its checksum; `None` if the checksum does not fit.
    pub fn open(self, key: i64, bytes: &[u8]) -> Option<&[u8]> {
        let (row, crc) = bytes.split_last_chunk::<CRC_BYTES>()?;
        (self.crc(key, row) == u32::from_le_bytes(*crc)).then_some(row)
    }
}
