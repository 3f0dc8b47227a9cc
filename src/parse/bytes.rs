//! A cursor that cannot run past its end, and the two variable-length integers of Bitcoin.

/// What was being read when the bytes ended too early or were not valid, and at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub struct ParseError {
    /// The part that was being read.
    pub what: &'static str,
    /// Offset from the start of the parsed bytes.
    pub at: usize,
}

/// The result of parsing.
pub type Parsed<T> = Result<T, ParseError>;

/// Reads forward through borrowed bytes.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    /// The offset of the next byte.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The number of bytes left.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The bytes from an earlier position up to the present one.
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// An error at the present position.
    pub fn error(&self, what: &'static str) -> ParseError {
        ParseError { what, at: self.at }
    }

    /// Reads the next `count` bytes.
    #[inline]
    pub fn take(&mut self, count: usize, what: &'static str) -> Parsed<&'a [u8]> {
        match self.bytes.get(self.at..).and_then(|rest| rest.get(..count)) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => Err(ParseError { what, at: self.at }),
        }
    }

    /// Reads the next `N` bytes as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Parsed<&'a [u8; N]> {
        let error = ParseError { what, at: self.at };
        self.take(N, what)?.try_into().map_err(|_| error)
    }

    /// Reads one byte.
    #[inline]
    pub fn u8(&mut self, what: &'static str) -> Parsed<u8> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Reads a CompactSize (Bitcoin's protocol documentation, "Variable length integer").
    #[inline]
    pub fn compact_size(&mut self, what: &'static str) -> Parsed<u64> {
        Ok(match self.u8(what)? {
            0xfd => u64::from(u16::from_le_bytes(*self.array(what)?)),
            0xfe => u64::from(u32::from_le_bytes(*self.array(what)?)),
            0xff => u64::from_le_bytes(*self.array(what)?),
            small => u64::from(small),
        })
    }

    /// Reads a CompactSize that counts items of at least `min_size` bytes each, and refuses more
    /// items than could fit into the bytes that are left.
    #[inline]
    pub fn count(&mut self, min_size: usize, what: &'static str) -> Parsed<usize> {
        let at = self.at;
        let count = self.compact_size(what)?;
        match usize::try_from(count) {
            Ok(count) if count <= self.left() / min_size => Ok(count),
            _ => Err(ParseError { what, at }),
        }
    }

    /// Reads a VARINT of Core's serialize.h: base 128, the most significant group first, one
    /// subtracted from each group that is continued.
    #[inline]
    pub fn varint(&mut self, what: &'static str) -> Parsed<u64> {
        let at = self.at;
        let mut value: u64 = 0;
        loop {
            let byte = self.u8(what)?;
            if value > u64::MAX >> 7 {
                return Err(ParseError { what, at });
            }
            value = value << 7 | u64::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            value = value.checked_add(1).ok_or(ParseError { what, at })?;
        }
    }
}

/// The number of bytes that a CompactSize takes.
pub fn compact_size_len(value: u64) -> usize {
    match value {
        0..=0xfc => 1,
        0xfd..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn varints_of_core() {
        // serialize.h: 0 is 00, 127 is 7f, 128 is 8000, 255 is 807f, 65535 is 82fe7f
        for (bytes, value) in [
            (&[0x00][..], 0),
            (&[0x7f], 127),
            (&[0x80, 0x00], 128),
            (&[0x80, 0x7f], 255),
            (&[0x82, 0xfe, 0x7f], 65535),
            (&[0x8e, 0xfe, 0xfe, 0xff, 0x00], 1 << 32),
        ] {
            assert_eq!(Cursor::new(bytes).varint("n"), Ok(value));
        }
        assert!(Cursor::new(&[0xff; 30]).varint("n").is_err());
        assert!(Cursor::new(&[0x80]).varint("n").is_err());
    }

    #[test]
    fn compact_sizes_and_their_lengths() {
        for value in [0u64, 0xfc, 0xfd, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000] {
            let len = compact_size_len(value);
            let mut bytes = match len {
                1 => vec![value as u8],
                3 => vec![0xfd],
                5 => vec![0xfe],
                _ => vec![0xff],
            };
            bytes.extend(&value.to_le_bytes()[..len - 1]);
            assert_eq!(Cursor::new(&bytes).compact_size("n"), Ok(value));
        }
        assert!(Cursor::new(&[5, 0, 0]).count(1, "n").is_err());
    }
}
