//! Postings and rows of consecutive blocks, collected in memory until the budget is used up.

use crate::blockfile::dir::FilePos;
use crate::error::{Error, Result};
use crate::ids::{Prefix, TxNum};
use crate::index::chunk::{Posting, TxRange};
use crate::index::extract::{LoadedBlock, POS_BITS};
use crate::parse::tx::header;
use crate::store::run::RunWriter;
use crate::store::tables::{RunInfo, RunKind, State};
use crate::store::write::{BLOCK_ITEM, Change, POSITION_ITEM, RowWriters};

/// Transactions that a batch can number.
pub const BATCH_TXS_MAX: u32 = 1 << POS_BITS;

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
    scripts: Vec<u64>,
    txids: Vec<u64>,
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
        let first = u64::from(self.txs);
        self.scripts.extend(rows.scripts.iter().map(|script| script + first));
        let txids = rows.txids.iter().zip(first..);
        self.txids.extend(txids.map(|(txid, n)| Prefix::of(txid).0 << POS_BITS | n));
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

    /// Writes one run of each kind.
    pub fn write_runs(&mut self, change: &Change<'_>) -> Result<()> {
        let range = self.range();
        self.scripts.sort_unstable();
        self.txids.sort_unstable();
        for (kind, postings) in [(RunKind::Script, &self.scripts), (RunKind::Txid, &self.txids)] {
            let id = change.create_run(kind, range)?;
            let run = empty_run(id, kind, range);
            let mut writer = RunWriter::new(change, run, postings.len() as u64);
            for packed in postings {
                let rel = (packed & u64::from(BATCH_TXS_MAX - 1)) as u32;
                writer.push(Posting {
                    prefix: Prefix(packed >> POS_BITS),
                    txnum: TxNum(range.first.0 + rel),
                })?;
            }
            writer.finish(None)?;
        }
        Ok(())
    }
}

/// Bytes that a block takes while it is collected.
fn bytes_of(block: &LoadedBlock) -> usize {
    let (txs, scripts) = (block.rows.txids.len(), block.rows.scripts.len());
    (scripts + txs) * POSTING_BYTES + txs * TX_BYTES + BLOCK_BYTES
}

/// A run with nothing in it yet.
pub fn empty_run(id: i64, kind: RunKind, range: TxRange) -> RunInfo {
    RunInfo { id, kind, range, complete: false, resume: 0, postings: 0, bytes: 0 }
}

/// Adds a block's rows behind `state`, and moves `state` on.
pub fn push_rows(writers: &mut RowWriters, state: &mut State, block: &LoadedBlock) -> Result<()> {
    let rows = &block.rows;
    let mut item = [0; BLOCK_ITEM];
    item[..80].copy_from_slice(&rows.header);
    item[80..].copy_from_slice(&state.txs.to_le_bytes());
    writers.blocks.push(&item);
    writers.positions.push(&position_item(block.pos));
    writers.nodes.skip_to(u64::from(state.txs) / 16);
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

/// A position as it is stored.
pub fn position_item(pos: FilePos) -> [u8; POSITION_ITEM] {
    let mut item = [0; POSITION_ITEM];
    item[..4].copy_from_slice(&pos.file.0.to_le_bytes());
    item[4..].copy_from_slice(&pos.offset.to_le_bytes());
    item
}
