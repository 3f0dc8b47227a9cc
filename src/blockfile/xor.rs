//! The key of xor.dat (Core 28 and later), undone while reading.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};
use crate::host::access;

/// Eight bytes laid over blk and rev files, by absolute offset within each file; all zero for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct XorKey([u8; 8]);

impl XorKey {
    /// Reads `xor.dat` in `blocks`; a missing file means that there is no key (Core
    /// node/blockstorage.cpp, InitBlocksdirXorKey).
    pub fn load(blocks: &Path) -> Result<XorKey> {
        let path = blocks.join("xor.dat");
        match fs::read(&path) {
            Ok(bytes) => match bytes.try_into() {
                Ok(key) => Ok(XorKey(key)),
                Err(bytes) => Err(Error::Data(format!(
                    "{}: {} bytes long where a key has 8; it is not bitcoind's xor.dat, or was \
                     cut. Restore it: without the right key no block can be read",
                    path.display(),
                    bytes.len()
                ))),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(XorKey::default()),
            Err(error) => Err(access::explain(&path, &error)),
        }
    }

    /// Whether files stand as they are.
    pub fn is_none(&self) -> bool {
        self.0 == [0; 8]
    }

    /// Undoes the key on bytes that were read at `offset`.
    pub fn apply(&self, bytes: &mut [u8], offset: u64) {
        if self.is_none() {
            return;
        }
        let mut key = self.0;
        key.rotate_left((offset % 8) as usize);
        let word = u64::from_ne_bytes(key);
        let mut words = bytes.chunks_exact_mut(8);
        for chunk in &mut words {
            if let Ok(eight) = <[u8; 8]>::try_from(&*chunk) {
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
