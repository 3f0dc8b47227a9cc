//! Postings and rows of consecutive blocks, collected in memory until the budget is used up.

use std::borrow::Cow;
use std::thread;

use crate::error::{Error, Result};
use crate::ids::{Height, Prefix, PrefixBits, ShortPrefix, TxNum};
use crate::index::chunk::{Posting, Tally, TxRange};
use crate::index::encoders::{STRIPE_POSTINGS, Sorted, encode_in_turn};
use crate::index::extract::LoadedBlock;
use crate::index::items::{BlockItem, PositionItem};
use crate::index::packed::{POSITIONS, PackedPosting};
use crate::index::spans::first_span_of;
use crate::parse::tx::header;
use crate::store::records::{RunKind, State};
use crate::store::run::fill;
use crate::store::write::{Change, RowWriters};

/// Transactions that a batch can number.
pub const BATCH_TXS_MAX: u32 = POSITIONS;

/// Fewer postings than this are sorted by one thread.
const SORTED_ALONE_MAX: usize = 1 << 16;
/// Most threads that encode a batch: more would wait for the thread that writes.
pub const ENCODERS_MAX: usize = 4;
/// Bytes of a posting in memory.
const POSTING_BYTES: usize = 8;
/// Bytes of the rows of a transaction: its share of a span and a Merkle node, rounded up.
const TX_BYTES: usize = 3;
/// Bytes of the rows of a block: header and numbers, position, a span.
const BLOCK_BYTES: usize = 112;

/// The postings of consecutive blocks. Its size counts the rows of these blocks, too, which are
/// collected beside it.
#[derive(Debug)]
pub struct Batch {
    first: TxNum,
    txs: u32,
    scripts: Postings,
    txids: Postings,
    bytes: usize,
    capacity: usize,
}

impl Batch {
    /// An empty batch that begins with transaction `first` and takes `capacity` bytes.
    pub fn new(first: TxNum, capacity: usize) -> Batch {
        // this takes address space only: memory is taken page by page as the lists are filled
        let postings = capacity / POSTING_BYTES;
        Batch {
            first,
            txs: 0,
            scripts: Postings::with_capacity(postings),
            txids: Postings::with_capacity(postings / 2),
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

    /// Adds the postings of the next block, with the short prefixes that the runs will hold.
    pub fn push(&mut self, block: &LoadedBlock, bits: PrefixBits) -> Result<()> {
        let rows = &block.rows;
        let (first, before) = (self.first, self.txs);
        for script in by_transaction(&rows.scripts).iter() {
            self.scripts.push(bits.shorten(script.prefix()), first, before + script.pos());
        }
        for (txid, n) in rows.txids.iter().zip(before..) {
            self.txids.push(bits.shorten(Prefix::of_txid(txid)), first, n);
        }
        self.txs += rows.txids.len() as u32;
        self.bytes += bytes_of(block);
        match self.first.0.checked_add(self.txs) {
            Some(_) => Ok(()),
            None => Err(Error::Software("more than 2^32 transactions".into())),
        }
    }

    /// The number of postings in the batch.
    pub fn postings(&self) -> usize {
        self.scripts.packed.len() + self.txids.packed.len()
    }

    /// Empties the batch; its next block begins with transaction `first`.
    pub fn start_at(&mut self, first: TxNum) {
        self.first = first;
        self.txs = 0;
        self.bytes = 0;
        self.scripts.clear();
        self.txids.clear();
    }

    /// Writes one run of each kind; sorts and encodes the postings with up to `threads` threads.
    pub fn write_runs(&mut self, change: &Change<'_>, threads: usize) -> Result<()> {
        let range = self.range();
        sort(&mut self.scripts.packed, threads);
        sort(&mut self.txids.packed, threads);
        for (kind, postings) in [(RunKind::Script, &self.scripts), (RunKind::Txid, &self.txids)] {
            let run = change.create_run(kind, range, postings.tally)?;
            let stripes = postings.packed.chunks(STRIPE_POSTINGS);
            let encoders = threads.min(ENCODERS_MAX).min(stripes.len()).max(1);
            let every = |turn| stripes.clone().skip(turn).step_by(encoders);
            let stripe = |packed| Ok(Part { first: range.first, packed });
            let inputs = (0..encoders).map(|turn| every(turn).map(stripe)).collect();
            let shape = change.shape_of(&run);
            encode_in_turn(shape, inputs, |encoded| fill(change, run, encoded))?;
        }
        Ok(())
    }
}

/// The postings of a block transaction by transaction, and by prefix within each. Two scripts of
/// one transaction that share a short prefix then come one behind the other. A block that was in
/// memory has its postings in order of prefixes.
fn by_transaction(scripts: &[PackedPosting]) -> Cow<'_, [PackedPosting]> {
    let key = |script: &PackedPosting| (script.pos(), script.prefix());
    if scripts.is_sorted_by_key(key) {
        return Cow::Borrowed(scripts);
    }
    let mut sorted = scripts.to_vec();
    sorted.sort_unstable_by_key(key);
    Cow::Owned(sorted)
}

/// A posting of a batch in one word: a short prefix above the number of the transaction in the
/// batch. The order is that of the prefixes, then that of the numbers, so that a list of these
/// words is sorted as fast as plain numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(transparent)]
struct BatchPosting(u64);

impl BatchPosting {
    /// Packs a number below [`BATCH_TXS_MAX`].
    #[inline]
    fn new(prefix: ShortPrefix, n: u32) -> BatchPosting {
        BatchPosting(prefix.0 * u64::from(BATCH_TXS_MAX) + u64::from(n % BATCH_TXS_MAX))
    }

    /// The posting, in a batch whose first transaction is `first`.
    #[inline]
    fn unpack(self, first: TxNum) -> Posting {
        let n = (self.0 % u64::from(BATCH_TXS_MAX)) as u32;
        let prefix = ShortPrefix(self.0 / u64::from(BATCH_TXS_MAX));
        Posting { prefix, txnum: TxNum(first.0.wrapping_add(n)) }
    }
}

/// The postings of one kind, in the order of the blocks until they are sorted.
#[derive(Debug)]
struct Postings {
    packed: Vec<BatchPosting>,
    /// Counted before anything is sorted, encoded or stored, so that a posting lost on the way is
    /// noticed.
    tally: Tally,
}

impl Postings {
    fn with_capacity(postings: usize) -> Postings {
        Postings { packed: Vec::with_capacity(postings), tally: Tally::default() }
    }

    /// Adds transaction `n` of the batch that begins with `first`. Two scripts of one transaction
    /// may share a short prefix; they come one behind the other and are one posting.
    #[inline]
    fn push(&mut self, prefix: ShortPrefix, first: TxNum, n: u32) {
        let packed = BatchPosting::new(prefix, n);
        if self.packed.last() != Some(&packed) {
            self.packed.push(packed);
            self.tally.add(packed.unpack(first));
        }
    }

    fn clear(&mut self) {
        self.packed.clear();
        self.tally = Tally::default();
    }
}

/// Some of the sorted postings of a batch whose first transaction is `first`.
struct Part<'a> {
    first: TxNum,
    packed: &'a [BatchPosting],
}

impl Sorted for Part<'_> {
    fn postings(&self) -> impl Iterator<Item = Posting> {
        self.packed.iter().map(|packed| packed.unpack(self.first))
    }

    fn next(&self) -> Option<ShortPrefix> {
        None
    }
}

/// Sorts with several threads if there are many postings: cores are often free then, since the
/// threads that read are done or wait.
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

/// Bytes that a block adds to the size of a batch.
fn bytes_of(block: &LoadedBlock) -> usize {
    let (txs, scripts) = (block.rows.txids.len(), block.rows.scripts.len());
    (scripts + txs) * POSTING_BYTES + txs * TX_BYTES + BLOCK_BYTES
}

/// Adds a block's rows behind those of the last block of `state`, and moves `state` on to this
/// block.
pub fn push_rows(writers: &mut RowWriters, state: &mut State, block: &LoadedBlock) -> Result<()> {
    let rows = &block.rows;
    let first = TxNum(state.txs);
    let (header, bytes, weight) = (rows.header, block.bytes, rows.weight);
    writers.blocks.push(&BlockItem { header, first, bytes, weight }.encode());
    writers.positions.push(&PositionItem { block: block.pos, undo: block.undo }.encode());
    let span = first_span_of(Height(state.blocks), first);
    writers.nodes.skip_to(span);
    rows.nodes.iter().for_each(|node| writers.nodes.push(node));
    writers.spans.skip_to(span);
    rows.spans.iter().for_each(|span| writers.spans.push(&span.encode()));
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
