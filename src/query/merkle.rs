//! Proofs that a transaction is in its block, from the stored nodes and the span that holds it.

use bitcoin::hashes::Hash;

use crate::hash::{fold_branch, merkle_branch, merkle_lift};
use crate::ids::{Height, TxNum, Txid};
use crate::index::items::NODE_BYTES;
use crate::index::pages::{item_of, row_of};
use crate::index::spans::{SPAN_LEVEL, SPAN_TXS, first_span_of, nodes_of};
use crate::parse::tx::header;
use crate::store::records::ItemTable;

use super::answers::{Answer, QueryError, TxProof};
use super::blame::misread;
use super::tx::TxReader;
use super::view::View;

/// The transaction at `pos` of the block at `height`, proven against the block's header.
pub fn prove(
    view: &View<'_>,
    reader: &mut TxReader<'_>,
    height: Height,
    pos: u32,
) -> Answer<TxProof> {
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
        None => from_disk(view, reader, height, pos)?,
    };
    // whatever the files and the index hold: no proof leaves that does not fit the header
    let root = header::merkle_root(&view.header(height)?);
    if fold_branch(txid.to_byte_array(), &branch, pos) != root {
        return Err(misread(view, height, "its transactions do not fit its Merkle root"));
    }
    Ok(TxProof { txid, height, pos, branch })
}

fn from_disk(
    view: &View<'_>,
    reader: &mut TxReader<'_>,
    height: Height,
    pos: u32,
) -> Answer<(Txid, Vec<[u8; 32]>)> {
    let first = view.snap.table.get(height).map_or(0, |block| block.first.0);
    let place = reader.place(TxNum(first.saturating_add(pos)))?;
    let own = reader.txids_of_span(&place)?;
    let within = (pos % SPAN_TXS) as usize;
    let txid = *own.get(within).ok_or_else(|| QueryError::Internal("short span".into()))?;
    let nodes = nodes_of(view.snap.table.txs_of(height));
    if nodes == 0 {
        return Ok((txid, merkle_branch(leaves(&own), within)));
    }
    let (mut branch, _) = merkle_lift(leaves(&own), within, SPAN_LEVEL);
    let nodes = stored_nodes(view, height, nodes)?;
    branch.extend(merkle_branch(nodes, (pos / SPAN_TXS) as usize));
    Ok((txid, branch))
}

/// The leaves of a Merkle tree over txids.
fn leaves(txids: &[Txid]) -> Vec<[u8; 32]> {
    txids.iter().map(|txid| txid.to_byte_array()).collect()
}

fn stored_nodes(view: &View<'_>, height: Height, count: u32) -> Answer<Vec<[u8; 32]>> {
    let first = view.snap.table.get(height).map_or(TxNum(0), |block| block.first);
    let first = first_span_of(height, first);
    let mut nodes = Vec::with_capacity(count as usize);
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
