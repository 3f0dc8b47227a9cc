//! Makes the rows of one block from its bytes and undo data: the scripts that each transaction
//! touches, its spans, its Merkle nodes.

use bitcoin::hashes::Hash;

use crate::blockfile::dir::FilePos;
use crate::hash::many::{Hashing, Many};
use crate::ids::{HeaderBytes, Prefix, Txid};
use crate::parse::block::{BlockFault, check_merkle};
use crate::parse::bytes::ParseError;
use crate::parse::tx::{BlockView, is_unspendable};
use crate::parse::undo::Undo;

use super::packed::PackedPosting;
use super::spans::{SPAN_LEVEL, SpanItem, first_tx_offset, spans_in};

/// What the index keeps of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRows {
    /// The header.
    pub header: HeaderBytes,
    /// Txids in order.
    pub txids: Vec<Txid>,
    /// Serialised length of each transaction.
    pub lens: Vec<u32>,
    /// Where each span of transactions ends, and its checksum.
    pub spans: Vec<SpanItem>,
    /// Merkle node over each span; none in a block of a single span.
    pub nodes: Vec<[u8; 32]>,
    /// Weight of the block (BIP 141).
    pub weight: u32,
    /// Prefix of each script that a transaction funds or spends, with the transaction's position
    /// in the block; ascending by position, each pair once.
    pub scripts: Vec<PackedPosting>,
}

impl BlockRows {
    /// Bytes that the lists take in memory, beside the struct itself.
    pub fn held_bytes(&self) -> usize {
        self.txids.capacity() * 32
            + self.lens.capacity() * 4
            + self.spans.capacity() * size_of::<SpanItem>()
            + self.nodes.capacity() * 32
            + self.scripts.capacity() * 8
    }
}

/// A block ready to be indexed, and where it came from.
#[derive(Clone, Debug)]
pub struct LoadedBlock {
    /// The position of the copy that was read.
    pub pos: FilePos,
    /// What the index keeps of it.
    pub rows: BlockRows,
    /// Its length in bytes.
    pub bytes: u32,
    /// Where its undo record stands in the rev file of the same number, if that is known.
    pub undo: Option<u32>,
}

/// Why a block cannot be indexed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The block cannot be parsed, or its transactions do not fit its header.
    #[error(transparent)]
    Block(#[from] BlockFault),
    /// The undo data cannot be parsed.
    #[error("the undo data cannot be parsed: {0}")]
    Undo(ParseError),
    /// The undo data is for other transactions.
    #[error("the undo data is not of this block: {0}")]
    OtherUndo(&'static str),
}

/// Reads a block and its undo data. `undo` is `None` for genesis only. Genesis spends nothing, and
/// the output of its coinbase can never be spent, so it touches no script.
pub fn extract(block: &[u8], undo: Option<&[u8]>) -> Result<BlockRows, Misfit> {
    let mut view = BlockView::new(block).map_err(BlockFault::Parse)?;
    let mut undo = undo.map(Undo::new).transpose().map_err(Misfit::Undo)?;
    if undo.as_ref().is_some_and(|undo| undo.txs() + 1 != view.txs) {
        return Err(Misfit::OtherUndo("number of transactions"));
    }
    let mut rows = BlockRows {
        header: *view.header,
        txids: vec![Txid::all_zeros(); view.txs],
        lens: Vec::with_capacity(view.txs),
        spans: Vec::new(),
        nodes: Vec::new(),
        weight: 0,
        scripts: Vec::with_capacity(view.txs * 5),
    };
    // what comes before the transactions weighs four times its length
    let mut weight = 4 * first_tx_offset(view.txs as u32);
    let mut txids = Many::new(Hashing::Double);
    let mut scripts = Many::new(Hashing::Single);
    for pos in 0..view.txs {
        let tx = view.next_tx().map_err(BlockFault::Parse)?;
        let parts = tx.txid_parts();
        txids.push(&parts, |pos, txid| rows.txids[pos] = Txid::from_byte_array(*txid));
        // a block is smaller than 4 MB, so lengths and positions fit into their numbers
        let len = tx.bytes().len() as u32;
        rows.lens.push(len);
        weight += len + 3 * parts.iter().map(|part| part.len() as u32).sum::<u32>();
        let Some(undo) = &mut undo else { continue };
        let mut touch = |script: &[u8]| {
            rows.scripts.push(PackedPosting::new(Prefix(0), pos as u32));
            scripts.push(&[script], |i, hash| rows.scripts[i].set_prefix(Prefix::of(hash)));
        };
        for output in tx.outputs().filter(|output| !is_unspendable(output.script)) {
            touch(output.script);
        }
        if pos > 0 {
            if undo.coins().map_err(Misfit::Undo)? != tx.input_count() {
                return Err(Misfit::OtherUndo("number of inputs"));
            }
            for _ in 0..tx.input_count() {
                touch(undo.coin().map_err(Misfit::Undo)?.script.as_bytes());
            }
        }
    }
    if view.left() > 0 || undo.is_some_and(|undo| undo.left() > 0) {
        return Err(Misfit::OtherUndo("bytes are left over"));
    }
    txids.finish(|pos, txid| rows.txids[pos] = Txid::from_byte_array(*txid));
    scripts.finish(|i, hash| rows.scripts[i].set_prefix(Prefix::of(hash)));
    sort_each_tx(&mut rows.scripts);
    rows.nodes = check_and_keep_nodes(&rows.header, &rows.txids)?;
    rows.spans = spans_in(block, &rows.lens);
    rows.weight = weight;
    Ok(rows)
}

/// Sorts the postings of each transaction, which lie together, and drops duplicates.
fn sort_each_tx(scripts: &mut Vec<PackedPosting>) {
    for rows in scripts.chunk_by_mut(|a, b| a.pos() == b.pos()) {
        rows.sort_unstable();
    }
    scripts.dedup();
}

/// Checks the Merkle root, and returns the nodes over the spans if there are several spans.
fn check_and_keep_nodes(header: &HeaderBytes, txids: &[Txid]) -> Result<Vec<[u8; 32]>, BlockFault> {
    let mut nodes = Vec::new();
    check_merkle(header, txids, |height, level| {
        if height == SPAN_LEVEL && level.len() > 1 {
            nodes = level.to_vec();
        }
    })?;
    Ok(nodes)
}
