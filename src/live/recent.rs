//! A recent block. The newest blocks are in memory only, until many of them are written as one run.

use crate::blockfile::dir::FilePos;
use crate::ids::{BlockHash, HeaderBytes, Prefix, TxNum, Txid};
use crate::index::extract::{BlockRows, LoadedBlock};
use crate::index::packed::PackedPosting;
use crate::index::spans::first_tx_offset;

/// All that the index would hold of the block, sorted for look-ups.
#[derive(Clone, Debug)]
pub struct RecentBlock {
    /// The header.
    pub header: HeaderBytes,
    /// Its hash.
    pub hash: BlockHash,
    /// Where its header stands in the block files.
    pub pos: FilePos,
    /// Txnum of its coinbase.
    pub first: TxNum,
    /// What [`crate::index::extract`] made of it; `scripts` sorted by prefix here.
    rows: BlockRows,
    /// Sorted by prefix.
    txids: Vec<PackedPosting>,
    /// Offset of each transaction in the block.
    offsets: Vec<u32>,
    /// Length of the block in bytes.
    pub bytes: u32,
    /// Where its undo record stands; see [`LoadedBlock`].
    undo: Option<u32>,
}

impl RecentBlock {
    /// Makes it from a loaded block whose coinbase has the txnum `first`.
    pub fn new(block: LoadedBlock, hash: BlockHash, first: TxNum) -> RecentBlock {
        let LoadedBlock { pos, mut rows, bytes, undo } = block;
        rows.scripts.sort_unstable();
        rows.scripts.shrink_to_fit();
        let packed = |(n, txid)| PackedPosting::new(Prefix::of_txid(txid), n);
        let mut txids: Vec<PackedPosting> = (0..).zip(&rows.txids).map(packed).collect();
        txids.sort_unstable();
        let mut next = first_tx_offset(rows.lens.len() as u32);
        let mut offset = |len: &u32| {
            let at = next;
            next += len;
            at
        };
        let offsets = rows.lens.iter().map(&mut offset).collect();
        RecentBlock { header: rows.header, hash, pos, first, rows, txids, offsets, bytes, undo }
    }

    /// Number of transactions.
    pub fn txs(&self) -> u32 {
        self.rows.txids.len() as u32
    }

    /// Bytes that it holds in memory.
    pub fn held_bytes(&self) -> usize {
        size_of::<RecentBlock>()
            + self.rows.held_bytes()
            + self.txids.capacity() * 8
            + self.offsets.capacity() * 4
    }

    /// The block as it came, to be written to a run.
    pub fn to_loaded(&self) -> LoadedBlock {
        let RecentBlock { pos, bytes, undo, .. } = *self;
        LoadedBlock { pos, rows: self.rows.clone(), bytes, undo }
    }

    /// Offset in the block and length of a transaction.
    pub fn locate(&self, txnum: TxNum) -> Option<(u32, u32)> {
        let pos = txnum.offset_from(self.first)? as usize;
        Some((*self.offsets.get(pos)?, *self.rows.lens.get(pos)?))
    }

    /// The txids in order.
    pub fn txids(&self) -> &[Txid] {
        &self.rows.txids
    }

    /// Adds the transactions that touch scripts with that prefix.
    pub fn find_script(&self, prefix: Prefix, txnums: &mut Vec<TxNum>) {
        find(&self.rows.scripts, prefix, self.first, txnums);
    }

    /// Adds the transactions whose txid has that prefix.
    pub fn find_txid(&self, prefix: Prefix, txnums: &mut Vec<TxNum>) {
        find(&self.txids, prefix, self.first, txnums);
    }

    /// The prefixes of its txids.
    pub fn txid_prefixes(&self) -> impl Iterator<Item = Prefix> {
        self.txids.iter().map(|packed| packed.prefix())
    }

    /// The prefixes of all scripts that the block touches, ascending, with repetitions.
    pub fn touched(&self) -> impl Iterator<Item = Prefix> {
        self.rows.scripts.iter().map(|packed| packed.prefix())
    }
}

fn find(packed: &[PackedPosting], prefix: Prefix, first: TxNum, txnums: &mut Vec<TxNum>) {
    let start = packed.partition_point(|posting| posting.prefix() < prefix);
    let found = packed[start..].iter().take_while(|posting| posting.prefix() == prefix);
    txnums.extend(found.map(|posting| posting.txnum(first)));
}
