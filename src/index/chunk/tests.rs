//! Chunks: what is written is read, whatever the postings, and damage is noticed.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::ids::{Prefix, TxNum};

fn round_trip(postings: &[Posting], range: TxRange) -> Vec<Chunk> {
    let mut encoder = ChunkEncoder::new(range, postings.len() as u64);
    let mut chunks: Vec<Chunk> = postings.iter().filter_map(|p| encoder.push(*p)).collect();
    chunks.extend(encoder.finish());
    assert!(chunks.is_sorted_by_key(|chunk| chunk.key));
    let read: Vec<Posting> = chunks
        .iter()
        .flat_map(|chunk| ChunkDecoder::new(chunk.key, &chunk.bytes, range.first).unwrap())
        .map(Result::unwrap)
        .collect();
    assert_eq!(read, postings);
    let paused: Vec<Posting> = chunks.iter().flat_map(|chunk| by_parts(chunk, range)).collect();
    assert_eq!(paused, postings);
    chunks
}

/// The postings of a chunk, a few at a time.
fn by_parts(chunk: &Chunk, range: TxRange) -> Vec<Posting> {
    let mut place = ChunkDecoder::new(chunk.key, &chunk.bytes, range.first).unwrap().pause();
    let mut postings = Vec::new();
    loop {
        let mut decoder = ChunkDecoder::resume(&chunk.bytes, place);
        let before = postings.len();
        postings.extend(decoder.by_ref().take(7).map(Result::unwrap));
        if postings.len() == before {
            return postings;
        }
        place = decoder.pause();
    }
}

#[test]
fn a_hot_prefix_fills_chunks_that_stay_in_order() {
    let hot = (1000..90_000).map(|n| Posting { prefix: Prefix(77), txnum: TxNum(n * 50) });
    let few = [76, 78].map(|p| Posting { prefix: Prefix(p), txnum: TxNum(1001) });
    let postings: Vec<Posting> = [few[0]].into_iter().chain(hot).chain([few[1]]).collect();
    let chunks = round_trip(&postings, TxRange { first: TxNum(1000), end: TxNum(5_000_000) });
    let bytes: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
    assert!(chunks.len() > 10 && bytes < postings.len() * 9 / 8, "{bytes} bytes");
    let filled = chunks.iter().rev().skip(1).all(|chunk| chunk.bytes.len() > 3900);
    assert!(filled, "all but the last chunk fill their pages");
}

#[test]
fn one_flipped_bit_is_noticed() {
    let range = TxRange { first: TxNum(0), end: TxNum(10) };
    let chunk = round_trip(&[Posting { prefix: Prefix(5), txnum: TxNum(3) }], range).remove(0);
    for bit in 0..chunk.bytes.len() * 8 {
        let mut bytes = chunk.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(ChunkDecoder::new(chunk.key, &bytes, TxNum(0)).is_err());
    }
    assert!(ChunkDecoder::new(ChunkKey(chunk.key.0 + 1), &chunk.bytes, TxNum(0)).is_err());
}

proptest! {
    #[test]
    fn any_postings_come_back(
        mut pairs in prop::collection::vec(
            (prop_oneof![0..Prefix::END, 0..5u64, Just(Prefix::END - 1)], 7u32..), 0..3000),
    ) {
        pairs.sort_unstable();
        pairs.dedup();
        pairs.retain(|(_, txnum)| *txnum < u32::MAX);
        let postings: Vec<Posting> = pairs
            .iter()
            .map(|(p, n)| Posting { prefix: Prefix(*p), txnum: TxNum(*n) })
            .collect();
        round_trip(&postings, TxRange { first: TxNum(7), end: TxNum(u32::MAX) });
    }
}
