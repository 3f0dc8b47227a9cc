//! One block with its undo data to rows: what each transaction touches, its length, Merkle nodes.

use bitcoin::hashes::Hash;

use crate::blockfile::dir::FilePos;
use crate::hash::many::{Hashing, Many};
use crate::ids::{HeaderBytes, Prefix, Txid};
use crate::parse::block::{BlockFault, check_merkle};
use crate::parse::bytes::{ParseError, compact_size_len};
use crate::parse::tx::{BlockView, is_unspendable};
use crate::parse::undo::Undo;

use super::packed::PackedPosting;

/// Transactions under one stored Merkle node, as a power of two.
pub const NODE_LEVEL: u32 = 4;
/// Transactions under one stored Merkle node.
pub const NODE_TXS: usize = 1 << NODE_LEVEL;

/// What the index keeps of one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRows {
    /// The header.
    pub header: HeaderBytes,
    /// Txids in order.
    pub txids: Vec<Txid>,
    /// Serialised length of each transaction.
    pub lens: Vec<u32>,
    /// Merkle node over each full group of [`NODE_TXS`] transactions.
    pub nodes: Vec<[u8; 32]>,
    /// Prefix of each script that a transaction funds or spends, with the transaction's position
    /// in the block; ascending by position, each pair once.
    pub scripts: Vec<PackedPosting>,
}

impl BlockRows {
    /// Bytes that it holds in memory, beside itself.
    pub fn held_bytes(&self) -> usize {
        self.txids.capacity() * 32
            + self.lens.capacity() * 4
            + self.nodes.capacity() * 32
            + self.scripts.capacity() * 8
    }
}

/// A block ready to be indexed, and where it came from.
#[derive(Clone, Debug)]
pub struct LoadedBlock {
    /// Where the copy that was used stands.
    pub pos: FilePos,
    /// What the index keeps of it.
    pub rows: BlockRows,
    /// Its length in bytes.
    pub bytes: u32,
}

/// Why a block cannot be indexed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The block does not hold together.
    #[error(transparent)]
    Block(#[from] BlockFault),
    /// The undo data cannot be parsed.
    #[error("the undo data cannot be parsed: {0}")]
    Undo(ParseError),
    /// The undo data is for other transactions.
    #[error("the undo data is not of this block: {0}")]
    OtherUndo(&'static str),
}

/// Offset of the first transaction in a block of `txs`.
pub fn first_tx_offset(txs: u32) -> u32 {
    80 + compact_size_len(u64::from(txs)) as u32
}

/// Reads a block and its undo data. `undo` is `None` for genesis only: it spends nothing, and its
/// coinbase is no output that could be spent, so it touches no script.
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
        nodes: Vec::new(),
        scripts: Vec::with_capacity(view.txs * 5),
    };
    let mut txids = Many::new(Hashing::Double);
    let mut scripts = Many::new(Hashing::Single);
    for pos in 0..view.txs {
        let tx = view.next_tx().map_err(BlockFault::Parse)?;
        txids.push(&tx.txid_parts(), |pos, txid| rows.txids[pos] = Txid::from_byte_array(*txid));
        // a block is below 4 MB, so lengths and positions fit
        rows.lens.push(tx.bytes().len() as u32);
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
    Ok(rows)
}

/// Sorts the rows of each transaction, which lie together, and drops what is there twice.
fn sort_each_tx(scripts: &mut Vec<PackedPosting>) {
    for rows in scripts.chunk_by_mut(|a, b| a.pos() == b.pos()) {
        rows.sort_unstable();
    }
    scripts.dedup();
}

/// Compares the Merkle root; gives the nodes over full groups of [`NODE_TXS`] transactions.
fn check_and_keep_nodes(header: &HeaderBytes, txids: &[Txid]) -> Result<Vec<[u8; 32]>, BlockFault> {
    let mut nodes = Vec::new();
    check_merkle(header, txids, |height, level| {
        if height == NODE_LEVEL {
            nodes = level[..txids.len() / NODE_TXS].to_vec();
        }
    })?;
    Ok(nodes)
}
