//! Bit strings, most significant bit first, and the three codes that postings are written in.

/// A Rice code that begins with this many ones is an escape: the value follows whole. Without it, a
/// large value would take as many bits as its quotient by 2^k.
pub const ESCAPE_ONES: u32 = 24;
/// The number of bits that [`BitReader::peek`] shows at least: those of eight bytes, less the seven
/// of the first byte that may be read already.
pub const PEEK_BITS: u32 = 57;

/// The number of bits that a Rice code of `value` takes; `width` is the number of bits of a value
/// that is written whole.
pub fn rice_cost(value: u64, k: u32, width: u32) -> u32 {
    let quotient = value >> k;
    if quotient < u64::from(ESCAPE_ONES) { quotient as u32 + 1 + k } else { ESCAPE_ONES + width }
}

/// The number of bits that an Elias gamma code of `value` (1 or more) takes.
pub fn gamma_cost(value: u32) -> u32 {
    2 * value.ilog2() + 1
}

/// Appends bits to bytes.
#[derive(Debug, Default)]
pub struct BitWriter {
    bytes: Vec<u8>,
    /// The last bits, not in `bytes` yet, at the low end of the word; `pending_bits` counts them.
    pending: u64,
    pending_bits: u32,
}

impl BitWriter {
    /// A writer that appends to `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        BitWriter { bytes, pending: 0, pending_bits: 0 }
    }

    /// Number of bits so far, those of the bytes that it began with included.
    pub fn len_bits(&self) -> usize {
        self.bytes.len() * 8 + self.pending_bits as usize
    }

    /// Writes the low `width` bits of `value`, 57 at most.
    #[inline]
    pub fn bits(&mut self, value: u64, width: u32) {
        debug_assert!(width <= 57 && value >> width == 0);
        if self.pending_bits + width > 64 {
            self.flush();
        }
        self.pending = self.pending << width | value;
        self.pending_bits += width;
    }

    /// Writes a Rice code: the quotient of `value` by 2^k as ones, a zero, then the remainder in k
    /// bits. A large value is written whole, behind an escape.
    #[inline]
    pub fn rice(&mut self, value: u64, k: u32, width: u32) {
        let quotient = value >> k;
        if quotient < u64::from(ESCAPE_ONES) {
            let ones = (1 << (quotient + 1)) - 2;
            self.bits(ones << k | value & ((1 << k) - 1), quotient as u32 + 1 + k);
        } else {
            self.bits((1 << ESCAPE_ONES) - 1, ESCAPE_ONES);
            self.bits(value, width);
        }
    }

    /// Writes the Elias gamma code of a value of 1 or more.
    #[inline]
    pub fn gamma(&mut self, value: u32) {
        let width = value.ilog2();
        self.bits(0, width);
        self.bits(u64::from(value), width + 1);
    }

    /// Moves whole bytes out of `pending`; fewer than 8 bits stay.
    fn flush(&mut self) {
        let whole = self.pending_bits / 8;
        if whole > 0 {
            let aligned = self.pending << (64 - self.pending_bits);
            self.bytes.extend_from_slice(&aligned.to_be_bytes()[..whole as usize]);
            self.pending_bits %= 8;
        }
    }

    /// The bytes; the last one is filled up with zeros.
    pub fn finish(mut self) -> Vec<u8> {
        let rest = (8 - self.pending_bits % 8) % 8;
        self.bits(0, rest);
        self.flush();
        self.bytes
    }
}

/// Reads what [`BitWriter`] wrote; `None` past the end.
#[derive(Clone, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Number of the next bit, counted from the start.
    at: usize,
}

impl<'a> BitReader<'a> {
    /// Starts at the first bit.
    pub fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, at: 0 }
    }

    /// A reader that goes on at bit `at`.
    pub fn resume(bytes: &'a [u8], at: usize) -> Self {
        BitReader { bytes, at }
    }

    /// All the bytes, whether they were read or not.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The number of the next bit, for [`BitReader::resume`].
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next [`PEEK_BITS`] bits or more, at the high end of the word. Zeros stand for what lies
    /// behind the end.
    #[inline]
    pub fn peek(&self) -> u64 {
        let start = self.at / 8;
        let word =
            match self.bytes.get(start..start.saturating_add(8)).and_then(|w| w.first_chunk::<8>())
            {
                Some(eight) => u64::from_be_bytes(*eight),
                None => {
                    let rest = self.bytes.get(start..).unwrap_or_default();
                    let mut eight = [0u8; 8];
                    for (to, from) in eight.iter_mut().zip(rest) {
                        *to = *from;
                    }
                    u64::from_be_bytes(eight)
                }
            };
        word << (self.at % 8)
    }

    /// Skips `width` bits; `None` past the end.
    #[inline]
    pub fn advance(&mut self, width: u32) -> Option<()> {
        self.at += width as usize;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    /// Reads the next `width` bits, 40 at most.
    #[inline]
    pub fn bits(&mut self, width: u32) -> Option<u64> {
        if width == 0 {
            return Some(0);
        }
        let value = self.peek() >> (64 - width);
        self.advance(width)?;
        Some(value)
    }

    /// Reads a Rice code.
    #[inline]
    pub fn rice(&mut self, k: u32, width: u32) -> Option<u64> {
        let ones = self.peek().leading_ones();
        if ones >= ESCAPE_ONES {
            self.advance(ESCAPE_ONES)?;
            return self.bits(width);
        }
        self.advance(ones + 1)?;
        Some(u64::from(ones) << k | self.bits(k)?)
    }

    /// Reads an Elias gamma code.
    #[inline]
    pub fn gamma(&mut self) -> Option<u32> {
        let width = self.peek().leading_zeros();
        if width > 31 {
            return None;
        }
        self.advance(width)?;
        u32::try_from(self.bits(width + 1)?).ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let values: Vec<u64> = (0..40).map(|i| (1u64 << i) - u64::from(i % 2 == 0)).collect();
        for k in [0, 1, 7, 20, 31] {
            let mut writer = BitWriter::default();
            let mut cost = 0;
            for &value in &values {
                writer.rice(value, k, 40);
                writer.gamma(value as u32 | 1);
                writer.bits(value, 40);
                cost += rice_cost(value, k, 40) + gamma_cost(value as u32 | 1) + 40;
                assert_eq!(writer.len_bits(), cost as usize);
            }
            let bytes = writer.finish();
            assert_eq!(bytes.len(), cost.div_ceil(8) as usize);
            let mut reader = BitReader::new(&bytes);
            for &value in &values {
                assert_eq!(reader.rice(k, 40), Some(value));
                assert_eq!(reader.gamma(), Some(value as u32 | 1));
                assert_eq!(reader.bits(40), Some(value));
            }
            assert_eq!(reader.bits(9), None);
        }
    }

    #[test]
    fn rubbish_ends() {
        for bytes in [&[0u8; 100][..], &[0xff; 100], &[0xaa; 3], &[]] {
            let mut reader = BitReader::new(bytes);
            let mut steps = 0;
            while reader.rice(9, 40).is_some() && reader.gamma().is_some() {
                steps += 1;
            }
            assert!(steps <= bytes.len() * 8);
        }
    }
}
