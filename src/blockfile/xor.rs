//! The key of xor.dat (Core 28 and later), which is undone while reading.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};
use crate::host::access;

/// Name of the file that holds the key.
pub const KEY_FILE: &str = "xor.dat";

/// Length of a key.
pub const KEY_BYTES: usize = 8;

/// Eight bytes that blk and rev files are XORed with, repeated from the start of each file; all
/// zero if there is no key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XorKey([u8; KEY_BYTES]);

/// The state of the key in a `blocks` folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredKey {
    /// There is no xor.dat, so there is no key (Core node/blockstorage.cpp, InitBlocksdirXorKey).
    Absent,
    /// The key; all zero if the files are stored plainly.
    Key(XorKey),
    /// xor.dat has this many bytes, so it does not hold a key.
    WrongLength(usize),
}

impl StoredKey {
    /// Reads `xor.dat` in `blocks`.
    pub fn read(blocks: &Path) -> Result<StoredKey> {
        let path = blocks.join(KEY_FILE);
        match fs::read(&path) {
            Ok(bytes) => Ok(match bytes.try_into() {
                Ok(key) => StoredKey::Key(XorKey(key)),
                Err(bytes) => StoredKey::WrongLength(bytes.len()),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(StoredKey::Absent),
            Err(error) => Err(access::explain(&path, &error)),
        }
    }
}

impl XorKey {
    /// The key of the files in `blocks`.
    pub fn load(blocks: &Path) -> Result<XorKey> {
        match StoredKey::read(blocks)? {
            StoredKey::Absent => Ok(XorKey::default()),
            StoredKey::Key(key) => Ok(key),
            StoredKey::WrongLength(bytes) => Err(Error::Data(format!(
                "{}: {bytes} bytes long where a key has {KEY_BYTES}; it is not bitcoind's \
                 {KEY_FILE}, or was cut. Restore it: without the right key no block can be read",
                blocks.join(KEY_FILE).display()
            ))),
        }
    }

    /// Whether the files are stored plainly.
    pub fn is_none(&self) -> bool {
        self.0 == [0; KEY_BYTES]
    }

    /// Undoes the key on bytes that were read at `offset`.
    pub fn apply(&self, bytes: &mut [u8], offset: u64) {
        if self.is_none() {
            return;
        }
        let mut key = self.0;
        key.rotate_left((offset % KEY_BYTES as u64) as usize);
        let word = u64::from_ne_bytes(key);
        let mut words = bytes.chunks_exact_mut(KEY_BYTES);
        for chunk in &mut words {
            if let Ok(eight) = <[u8; KEY_BYTES]>::try_from(&*chunk) {
                chunk.copy_from_slice(&(u64::from_ne_bytes(eight) ^ word).to_ne_bytes());
            }
        }
        for (byte, key) in words.into_remainder().iter_mut().zip(key) {
            *byte ^= key;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_by_absolute_offset() {
        let key = XorKey([1, 2, 3, 4, 5, 6, 7, 8]);
        let mut whole: Vec<u8> = (0..50).collect();
        key.apply(&mut whole, 3);
        for (start, len) in [(0, 50), (1, 7), (5, 21), (13, 0)] {
            let mut part: Vec<u8> = (start..start + len).collect();
            key.apply(&mut part, 3 + u64::from(start));
            assert_eq!(part, whole[start as usize..(start + len) as usize]);
        }
        assert_eq!(whole[0], 4, "the byte at offset 3 meets the key's fourth");
    }
}
