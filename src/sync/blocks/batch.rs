//! Postings and rows of consecutive blocks, collected in memory until the budget is used up.

use std::thread;

use crate::error::{Error, Result};
use crate::ids::{Prefix, TxNum};
use crate::index::chunk::{Posting, TxRange};
use crate::index::encoders::{STRIPE_POSTINGS, Sorted, encode_in_turn};
use crate::index::extract::LoadedBlock;
use crate::index::items::{BlockItem, PositionItem, first_node_of};
use crate::index::packed::{POSITIONS, PackedPosting};
use crate::parse::tx::header;
use crate::store::run::fill;
use crate::store::tables::{RunInfo, RunKind, State};
use crate::store::write::{Change, RowWriters};

/// Transactions that a batch can number.
pub const BATCH_TXS_MAX: u32 = POSITIONS;

/// So many postings are sorted by one thread.
const SORTED_ALONE_MAX: usize = 1 << 16;
/// Threads that encode a batch at most: more would wait for the one that writes.
pub const ENCODERS_MAX: usize = 4;
/// Bytes of a posting.
const POSTING_BYTES: usize = 8;
/// Bytes of the rows of a transaction: its length, its share of Merkle nodes.
const TX_BYTES: usize = 5;
/// Bytes of the rows of a block: header, first txnum, position.
const BLOCK_BYTES: usize = 96;

/// What is collected, counted together with the rows of the same blocks.
#[derive(Debug)]
pub struct Batch {
    first: TxNum,
    txs: u32,
    scripts: Vec<PackedPosting>,
    txids: Vec<PackedPosting>,
    bytes: usize,
    capacity: usize,
}

impl Batch {
    /// An empty batch that begins with transaction `first` and takes `capacity` bytes.
    pub fn new(first: TxNum, capacity: usize) -> Batch {
        // address space only: pages are taken as they are filled
        let postings = capacity / POSTING_BYTES;
        Batch {
            first,
            txs: 0,
            scripts: Vec::with_capacity(postings),
            txids: Vec::with_capacity(postings / 2),
            bytes: 0,
            capacity,
        }
    }

    /// The transactions collected.
    pub fn range(&self) -> TxRange {
        TxRange { first: self.first, end: TxNum(self.first.0 + self.txs) }
    }

    /// Whether a block still fits. An empty batch takes any block.
    pub fn has_room(&self, block: &LoadedBlock) -> bool {
        let txs = block.rows.txids.len() as u32;
        let bytes = self.bytes + bytes_of(block);
        self.txs == 0 || (bytes <= self.capacity && self.txs + txs <= BATCH_TXS_MAX)
    }

    /// Adds the next block.
    pub fn push(&mut self, block: &LoadedBlock) -> Result<()> {
        let rows = &block.rows;
        let first = self.txs;
        self.scripts.extend(rows.scripts.iter().map(|script| script.behind(first)));
        let txids = rows.txids.iter().zip(first..);
        self.txids.extend(txids.map(|(txid, n)| PackedPosting::new(Prefix::of_txid(txid), n)));
        self.txs += rows.txids.len() as u32;
        self.bytes += bytes_of(block);
        match self.first.0.checked_add(self.txs) {
            Some(_) => Ok(()),
            None => Err(Error::Software("more than 2^32 transactions".into())),
        }
    }

    /// How many postings it holds.
    pub fn postings(&self) -> usize {
        self.scripts.len() + self.txids.len()
    }

    /// Empties it; the next block begins with transaction `first`.
    pub fn start_at(&mut self, first: TxNum) {
        self.first = first;
        self.txs = 0;
        self.bytes = 0;
        self.scripts.clear();
        self.txids.clear();
    }

    /// Writes one run of each kind; sorts and encodes with so many threads.
    pub fn write_runs(&mut self, change: &Change<'_>, threads: usize) -> Result<()> {
        let range = self.range();
        sort(&mut self.scripts, threads);
        sort(&mut self.txids, threads);
        for (kind, postings) in [(RunKind::Script, &self.scripts), (RunKind::Txid, &self.txids)] {
            let run = empty_run(change.create_run(kind, range)?, kind, range);
            let stripes = postings.chunks(STRIPE_POSTINGS);
            let encoders = threads.min(ENCODERS_MAX).min(stripes.len()).max(1);
            let every = |turn| stripes.clone().skip(turn).step_by(encoders);
            let stripe = |packed| Ok(Part { first: range.first, packed });
            let inputs = (0..encoders).map(|turn| every(turn).map(stripe)).collect();
            let expected = postings.len() as u64;
            encode_in_turn(range, expected, inputs, |encoded| fill(change, run, encoded))?;
        }
        Ok(())
    }
}

/// Sorted postings of a batch, packed, counted from its first transaction.
struct Part<'a> {
    first: TxNum,
    packed: &'a [PackedPosting],
}

impl Sorted for Part<'_> {
    fn postings(&self) -> impl Iterator<Item = Posting> {
        let first = self.first;
        let posting = move |packed: &PackedPosting| Posting {
            prefix: packed.prefix(),
            txnum: packed.txnum(first),
        };
        self.packed.iter().map(posting)
    }

    fn next(&self) -> Option<Prefix> {
        None
    }
}

/// Sorts with several threads where it is worth it: often reading is over by then, or waits.
fn sort<T: Ord + Send>(postings: &mut [T], threads: usize) {
    if postings.len() < SORTED_ALONE_MAX || threads < 2 {
        return postings.sort_unstable();
    }
    let (low, _, high) = postings.select_nth_unstable(postings.len() / 2);
    thread::scope(|scope| {
        scope.spawn(|| sort(low, threads / 2));
        sort(high, threads - threads / 2);
    });
}

/// Bytes that a block takes while it is collected.
fn bytes_of(block: &LoadedBlock) -> usize {
    let (txs, scripts) = (block.rows.txids.len(), block.rows.scripts.len());
    (scripts + txs) * POSTING_BYTES + txs * TX_BYTES + BLOCK_BYTES
}

/// A run with nothing in it yet.
pub fn empty_run(id: i64, kind: RunKind, range: TxRange) -> RunInfo {
    RunInfo { id, kind, range, complete: false, resume: Prefix(0), postings: 0, bytes: 0 }
}

/// Adds a block's rows behind `state`, and moves `state` on.
pub fn push_rows(writers: &mut RowWriters, state: &mut State, block: &LoadedBlock) -> Result<()> {
    let rows = &block.rows;
    let first = TxNum(state.txs);
    writers.blocks.push(&BlockItem { header: rows.header, first }.encode());
    writers.positions.push(&PositionItem(block.pos).encode());
    writers.nodes.skip_to(first_node_of(first));
    for node in &rows.nodes {
        writers.nodes.push(node);
    }
    writers.lens.push_block(&rows.lens);
    state.blocks += 1;
    state.tip = header::hash(&rows.header);
    match state.txs.checked_add(rows.txids.len() as u32) {
        Some(txs) => state.txs = txs,
        None => {
            return Err(Error::Software(
                "the chain has more than 2^32 transactions, which this version cannot number"
                    .into(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_threads_sort_as_one_does() {
        let few = SORTED_ALONE_MAX - 1;
        for (count, threads) in [(0, 2), (1, 2), (few, 2), (few + 1, 2), (300_001, 3)] {
            let mut postings: Vec<u64> =
                (0..count as u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 13).collect();
            let mut expected = postings.clone();
            expected.sort_unstable();
            sort(&mut postings, threads);
            assert!(postings == expected, "{count}");
        }
    }
}
