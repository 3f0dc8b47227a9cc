//! Newline framing: turns bytes into whole lines, and reports a line that is longer than the limit.

/// What the cutter found in the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its newline; never longer than the limit.
    Text(Vec<u8>),
    /// A line is longer than the limit. Reported once, as soon as it is known; the rest is skipped.
    TooLong,
}

/// Cuts a stream of bytes into lines; it holds at most `limit_bytes` of an unfinished line.
#[derive(Debug)]
pub struct LineCutter {
    limit_bytes: usize,
    partial: Vec<u8>,
    skipping: bool,
}

impl LineCutter {
    /// A cutter for lines of at most `limit_bytes`, the newline not counted.
    pub fn new(limit_bytes: usize) -> LineCutter {
        LineCutter { limit_bytes, partial: Vec::new(), skipping: false }
    }

    /// Consumes bytes from `input` until a line is complete or nothing is left.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Line> {
        while !input.is_empty() {
            let newline = input.iter().position(|byte| *byte == b'\n');
            let (piece, rest) = match newline {
                Some(at) => (&input[..at], &input[at + 1..]),
                None => (*input, &input[input.len()..]),
            };
            *input = rest;
            if self.skipping {
                self.skipping = newline.is_none();
                continue;
            }
            if self.partial.len() + piece.len() > self.limit_bytes {
                self.skipping = newline.is_none();
                self.partial = Vec::new();
                return Some(Line::TooLong);
            }
            self.partial.extend_from_slice(piece);
            if newline.is_some() {
                return Some(Line::Text(std::mem::take(&mut self.partial)));
            }
        }
        None
    }

    /// Memory that the beginning of an unfinished line takes, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.partial.capacity()
    }

    /// The line after the last newline when the stream ended; some clients close without a newline.
    pub fn end(&mut self) -> Option<Line> {
        let rest = std::mem::take(&mut self.partial);
        (!rest.is_empty()).then_some(Line::Text(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of every size and checks that each size gives the expected lines.
    fn check(limit: usize, input: &[u8], expected: &[&str]) {
        for size in 1..=input.len() {
            let mut cutter = LineCutter::new(limit);
            let mut seen = Vec::new();
            for mut piece in input.chunks(size) {
                while let Some(line) = cutter.next(&mut piece) {
                    seen.push(line);
                }
            }
            seen.extend(cutter.end());
            let expected: Vec<Line> = expected
                .iter()
                .map(|text| match *text {
                    "TOO LONG" => Line::TooLong,
                    text => Line::Text(text.as_bytes().to_vec()),
                })
                .collect();
            assert_eq!(seen, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn lines_come_whole_however_they_arrive() {
        check(8, b"one\ntwo\n\nend", &["one", "two", "", "end"]);
        check(3, b"one\ntwo\n", &["one", "two"]);
    }

    #[test]
    fn an_oversize_line_is_told_once_and_skipped() {
        check(3, b"four\none\n", &["TOO LONG", "one"]);
        check(3, b"one\nsomething very long\ntwo", &["one", "TOO LONG", "two"]);
        check(3, b"endless without newline", &["TOO LONG"]);
    }

    #[test]
    fn memory_stays_under_the_limit() {
        let mut cutter = LineCutter::new(10);
        for _ in 0..1000 {
            let mut input = &[b'x'; 10][..];
            while cutter.next(&mut input).is_some() {}
            assert!(cutter.partial.capacity() <= 32);
        }
    }
}
