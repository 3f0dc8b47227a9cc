//! Proofs that a transaction is in its block, from the stored nodes and sixteen transactions read.

use bitcoin::hashes::Hash;

use crate::hash::{fold_branch, merkle_branch, merkle_lift};
use crate::ids::{Height, TxNum, Txid};
use crate::index::extract::{NODE_LEVEL, NODE_TXS};
use crate::index::items::{NODE_BYTES, first_node_of};
use crate::index::pages::{item_of, row_of};
use crate::parse::bytes::Cursor;
use crate::parse::tx::{TxView, header};
use crate::store::tables::ItemTable;

use super::answers::{Answer, QueryError, TxProof};
use super::tx::{TxReader, misread};
use super::view::View;

/// The transaction at `pos` of the block at `height`, proven against the block's header.
pub fn prove(view: &View<'_>, height: Height, pos: u32) -> Answer<TxProof> {
    let height = view.checked_height(height)?;
    let txs = view.snap.table.txs_of(height);
    if pos >= txs {
        return Err(QueryError::BadRequest(format!(
            "no transaction at position {pos} in block {height}, which has {txs}"
        )));
    }
    let (txid, branch) = match view.snap.recent_at(height) {
        Some(recent) => {
            let txids = recent.txids();
            (txids[pos as usize], merkle_branch(leaves(txids), pos as usize))
        }
        None => from_disk(view, height, pos, txs)?,
    };
    // whatever the files and the index hold: no proof leaves that does not fit the header
    let root = header::merkle_root(&view.header(height)?);
    if fold_branch(txid.to_byte_array(), &branch, pos) != root {
        return Err(misread(view, height, "its transactions do not fit its Merkle root"));
    }
    Ok(TxProof { txid, height, pos, branch })
}

fn from_disk(view: &View<'_>, height: Height, pos: u32, txs: u32) -> Answer<(Txid, Vec<[u8; 32]>)> {
    let group_txs = NODE_TXS as u32;
    let group = pos / group_txs;
    let own = group_txids(view, height, group, txs)?;
    let within = (pos % group_txs) as usize;
    let txid = *own.get(within).ok_or_else(|| QueryError::Internal("short group".into()))?;
    if txs <= group_txs {
        return Ok((txid, merkle_branch(leaves(&own), within)));
    }
    let (mut branch, _) = merkle_lift(leaves(&own), within, NODE_LEVEL);
    let mut nodes = stored_nodes(view, height, txs / group_txs)?;
    if !txs.is_multiple_of(group_txs) {
        let tail = group_txids(view, height, txs / group_txs, txs)?;
        nodes.push(merkle_lift(leaves(&tail), 0, NODE_LEVEL).1);
    }
    branch.extend(merkle_branch(nodes, group as usize));
    Ok((txid, branch))
}

/// The leaves of a Merkle tree over txids.
fn leaves(txids: &[Txid]) -> Vec<[u8; 32]> {
    txids.iter().map(|txid| txid.to_byte_array()).collect()
}

/// The txids of one group of up to 16 transactions, read from the block file.
fn group_txids(view: &View<'_>, height: Height, group: u32, txs: u32) -> Answer<Vec<Txid>> {
    let group_txs = NODE_TXS as u32;
    let first = view.snap.table.get(height).map_or(0, |block| block.first.0);
    let start = group * group_txs;
    let count = group_txs.min(txs - start);
    let mut reader = TxReader::new(view);
    let from = reader.place(TxNum(first + start))?;
    let last = reader.place(TxNum(first + start + count - 1))?;
    let bytes =
        reader.range(height, from.block, from.offset, last.offset + last.len - from.offset)?;
    let mut cursor = Cursor::new(bytes);
    let mut txids = Vec::with_capacity(count as usize);
    for _ in 0..count {
        match TxView::read(&mut cursor) {
            Ok(tx) => txids.push(tx.txid()),
            Err(_) => return Err(misread(view, height, "a transaction cannot be read")),
        }
    }
    Ok(txids)
}

fn stored_nodes(view: &View<'_>, height: Height, count: u32) -> Answer<Vec<[u8; 32]>> {
    let first = view.snap.table.get(height).map_or(TxNum(0), |block| block.first);
    let first = first_node_of(first);
    let mut nodes = Vec::with_capacity(count as usize + 1);
    let (mut row, mut row_key) = (Vec::new(), -1);
    for node in first..first + u64::from(count) {
        let key = row_of(NODE_BYTES, node);
        if key != row_key {
            let read = view.db()?.row(ItemTable::Nodes, key);
            row = read.map_err(|error| view.failed(error))?.unwrap_or_default();
            row_key = key;
        }
        match item_of::<NODE_BYTES>(&row, node) {
            Some(node) => nodes.push(*node),
            None => return Err(view.lost(format_args!("the Merkle nodes of block {height}"))),
        }
    }
    Ok(nodes)
}
