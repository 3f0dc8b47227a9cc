//! Chunks: what is written is read, whatever the postings, and damage is noticed.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::ids::{Prefix, PrefixBits, ShortPrefix, TxNum};
use crate::index::rows::RowTable;

const TABLE: RowTable = RowTable::of_run(3);

/// A chunk as it is stored.
struct Stored {
    key: ChunkKey,
    bytes: Vec<u8>,
}

impl Stored {
    fn decoder(&self, range: TxRange) -> ChunkDecoder<'_> {
        ChunkDecoder::new(TABLE, self.key, &self.bytes, range.first).unwrap()
    }
}

fn posting(prefix: u64, txnum: u32) -> Posting {
    Posting { prefix: ShortPrefix(prefix), txnum: TxNum(txnum) }
}

fn round_trip(postings: &[Posting], range: TxRange) -> Vec<Stored> {
    let bits = PrefixBits::new(40);
    let mut encoder = ChunkEncoder::new(range, bits, postings.len() as u64);
    let mut chunks: Vec<Chunk> =
        postings.iter().filter_map(|p| encoder.push(*p).unwrap()).collect();
    chunks.extend(encoder.finish());
    let mut last = ChunkKey::NONE;
    let store = |chunk: Chunk| {
        let (key, bytes) = chunk.seal(TABLE, last).unwrap();
        assert!(key > last && bytes.len() <= crate::limits::ROW_BYTES_MAX);
        last = key;
        Stored { key, bytes }
    };
    let chunks: Vec<Stored> = chunks.into_iter().map(store).collect();
    let mut before = ChunkKey::NONE;
    for chunk in &chunks {
        assert_eq!(chunk.decoder(range).previous(), before);
        let postings: Vec<Posting> = chunk.decoder(range).map(Result::unwrap).collect();
        assert!(postings.iter().all(|p| p.prefix >= before.prefix()));
        assert_eq!(postings.last().unwrap().prefix, chunk.key.prefix());
        before = chunk.key;
    }
    let read = chunks.iter().flat_map(|chunk| chunk.decoder(range)).map(Result::unwrap);
    assert_eq!(read.collect::<Vec<Posting>>(), postings);
    let paused: Vec<Posting> = chunks.iter().flat_map(|chunk| by_parts(chunk, range)).collect();
    assert_eq!(paused, postings);
    chunks
}

/// The postings of a chunk, a few at a time.
fn by_parts(chunk: &Stored, range: TxRange) -> Vec<Posting> {
    let mut place = chunk.decoder(range).pause();
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
    let hot = (1000..90_000).map(|n| posting(77, n * 50));
    let few = [76, 78].map(|p| posting(p, 1001));
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
    let chunk = round_trip(&[posting(5, 3)], range).remove(0);
    for bit in 0..chunk.bytes.len() * 8 {
        let mut bytes = chunk.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(ChunkDecoder::new(TABLE, chunk.key, &bytes, TxNum(0)).is_err());
    }
    let other = ChunkKey(chunk.key.0 + 1);
    assert!(ChunkDecoder::new(TABLE, other, &chunk.bytes, TxNum(0)).is_err());
    let table = RowTable::of_run(4);
    assert!(ChunkDecoder::new(table, chunk.key, &chunk.bytes, TxNum(0)).is_err());
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
        let postings: Vec<Posting> = pairs.iter().map(|(p, n)| posting(*p, *n)).collect();
        round_trip(&postings, TxRange { first: TxNum(7), end: TxNum(u32::MAX) });
    }
}

#[test]
fn what_is_out_of_order_is_an_error_and_no_abort() {
    let range = TxRange { first: TxNum(5), end: TxNum(10) };
    for (first, second) in [((7, 6), (7, 6)), ((7, 6), (7, 5)), ((7, 6), (6, 9)), ((7, 6), (8, 10))]
    {
        let mut encoder = ChunkEncoder::new(range, PrefixBits::new(40), 2);
        assert!(encoder.push(posting(first.0, first.1)).is_ok());
        assert!(encoder.push(posting(second.0, second.1)).is_err(), "{second:?}");
    }
    let chunk = |prefix| {
        let mut encoder = ChunkEncoder::new(range, PrefixBits::new(40), 1);
        assert!(encoder.push(posting(prefix, 6)).is_ok());
        encoder.finish().next().unwrap()
    };
    let (key, _) = chunk(7).seal(TABLE, ChunkKey::NONE).unwrap();
    assert!(chunk(6).seal(TABLE, key).is_none());
    assert_eq!(chunk(7).seal(TABLE, key).unwrap().0, ChunkKey(key.0 + 1));
}
