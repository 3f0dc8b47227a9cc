//! Hashes of many messages: one by one where the CPU has SHA instructions, else eight abreast.

use wide::u32x8;

use super::lanes::{INITIAL, LANES, State, compress};
use super::sha::{sha256, sha256d};

/// Messages are hashed when so many bytes of them wait: as much as stays in a first-level cache.
const WAITING: usize = 16 << 10;

/// Whether this CPU hashes faster in lanes: it has vectors, but no SHA instructions.
fn lanes_are_faster() -> bool {
    #[cfg(target_arch = "aarch64")]
    return !std::arch::is_aarch64_feature_detected!("sha2");
    #[cfg(target_arch = "x86_64")]
    return !std::arch::is_x86_feature_detected!("sha");
    #[allow(unreachable_code)]
    false
}

/// How often a message is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    /// SHA-256: scripts.
    Single,
    /// SHA-256 of SHA-256: txids and Merkle nodes.
    Double,
}

/// Collects messages; what became of each is told by its number, in any order.
pub struct Many {
    hashing: Hashing,
    lanes: Option<Waiting>,
    pushed: usize,
}

/// Messages padded to whole blocks, one behind the other.
#[derive(Default)]
struct Waiting {
    blocks: Vec<[u8; 64]>,
    /// Number of each message, and the end of its blocks.
    messages: Vec<(usize, usize)>,
}

impl Many {
    /// In the way that is fastest on this CPU.
    pub fn new(hashing: Hashing) -> Many {
        Many::with_lanes(hashing, lanes_are_faster())
    }

    fn with_lanes(hashing: Hashing, lanes: bool) -> Many {
        Many { hashing, lanes: lanes.then(Waiting::default), pushed: 0 }
    }

    /// Takes the next message, given in parts; `done` learns number and digest of those that are
    /// done with.
    pub fn push(&mut self, parts: &[&[u8]], done: impl FnMut(usize, &[u8; 32])) {
        let number = self.pushed;
        self.pushed += 1;
        let mut done = done;
        let Some(waiting) = &mut self.lanes else {
            let digest = match (self.hashing, parts) {
                (Hashing::Single, [whole]) => sha256(whole),
                (Hashing::Single, parts) => sha256(&parts.concat()),
                (Hashing::Double, parts) => sha256d(parts),
            };
            return done(number, &digest);
        };
        waiting.push(number, parts);
        if waiting.blocks.len() >= WAITING / 64 {
            waiting.hash(self.hashing, &mut done);
        }
    }

    /// Hashes what still waits.
    pub fn finish(mut self, mut done: impl FnMut(usize, &[u8; 32])) {
        if let Some(waiting) = &mut self.lanes {
            waiting.hash(self.hashing, &mut done);
        }
    }
}

impl Waiting {
    /// Appends a message with its padding: a bit, zeros, the length in bits.
    fn push(&mut self, number: usize, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let first = self.blocks.len();
        self.blocks.resize(first + (len + 9).div_ceil(64), [0; 64]);
        let bytes = self.blocks[first..].as_flattened_mut();
        let mut at = 0;
        for part in parts {
            bytes[at..at + part.len()].copy_from_slice(part);
            at += part.len();
        }
        bytes[at] = 0x80;
        let bits = bytes.len() - 8;
        bytes[bits..].copy_from_slice(&(len as u64 * 8).to_be_bytes());
        self.messages.push((number, self.blocks.len()));
    }

    fn hash(&mut self, hashing: Hashing, done: &mut impl FnMut(usize, &[u8; 32])) {
        match hashing {
            Hashing::Single => self.run(done),
            Hashing::Double => {
                let mut second = Waiting::default();
                self.run(&mut |number, digest| second.push(number, &[digest]));
                second.run(done);
            }
        }
        self.blocks.clear();
        self.messages.clear();
    }

    /// Gives each lane a message, and the next one as soon as it is through with it.
    fn run(&self, done: &mut impl FnMut(usize, &[u8; 32])) {
        let mut state: State = INITIAL.map(u32x8::splat);
        // number, next block and end of the message in each lane
        let mut lanes: [Option<(usize, usize, usize)>; LANES] = [None; LANES];
        let (mut next, mut start) = (0, 0);
        let mut take = || {
            let &(number, end) = self.messages.get(next)?;
            let message = (number, start, end);
            (next, start) = (next + 1, end);
            Some(message)
        };
        lanes.fill_with(&mut take);
        while lanes.iter().any(Option::is_some) {
            // a lane without a message hashes any block, for nothing
            let blocks = lanes.map(|lane| &self.blocks[lane.map_or(0, |(_, block, _)| block)]);
            compress(&mut state, blocks);
            for (lane, place) in lanes.iter_mut().enumerate() {
                let Some((number, block, end)) = place else { continue };
                *block += 1;
                if block == end {
                    done(*number, &take_digest(&mut state, lane));
                    *place = take();
                }
            }
        }
    }
}

/// The digest in a lane, whose state begins anew.
fn take_digest(state: &mut State, lane: usize) -> [u8; 32] {
    let mut digest = [0; 32];
    let (words, _) = digest.as_chunks_mut::<4>();
    for ((word, state), initial) in words.iter_mut().zip(state).zip(INITIAL) {
        let lanes = state.as_mut_array();
        *word = lanes[lane].to_be_bytes();
        lanes[lane] = initial;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(hashing: Hashing, lanes: bool, messages: &[Vec<u8>]) -> Vec<[u8; 32]> {
        let mut digests = vec![[0; 32]; messages.len()];
        let mut many = Many::with_lanes(hashing, lanes);
        for message in messages {
            let (front, back) = message.split_at(message.len() / 3);
            many.push(&[front, back], |number, digest| digests[number] = *digest);
        }
        many.finish(|number, digest| digests[number] = *digest);
        digests
    }

    #[test]
    fn lanes_agree_with_one_at_a_time_for_messages_of_any_length() {
        let lengths = (0..300).chain([1000, 20_000, 3, 55, 56, 64, 119, 120, 16_384]);
        let messages: Vec<Vec<u8>> =
            lengths.map(|len| (0..len).map(|i| (i * 7 + len) as u8).collect()).collect();
        for hashing in [Hashing::Single, Hashing::Double] {
            for count in [0, 1, 7, 8, 9, messages.len()] {
                let expected: Vec<[u8; 32]> = messages[..count]
                    .iter()
                    .map(|message| match hashing {
                        Hashing::Single => sha256(message),
                        Hashing::Double => sha256d(&[message]),
                    })
                    .collect();
                for lanes in [false, true] {
                    assert_eq!(digests(hashing, lanes, &messages[..count]), expected);
                }
            }
        }
    }
}
