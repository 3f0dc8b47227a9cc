//! One hash over the content of an index. It depends on the chain alone: not on memory,
//! interruptions, reorganisations, or the order of blocks in the files.

use std::fmt;

use crate::chain::params::ChainParams;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::hash::{Sha256Stream, merkle_root};
use crate::ids::{Height, ShortPrefix, TxNum};
use crate::index::items::{BlockItem, NODE_BYTES};
use crate::index::merge::Merge;
use crate::index::pages::{item_of, row_of};
use crate::index::spans::{SpanItem, first_span_of, first_tx_offset, nodes_of, spans_of};
use crate::parse::tx::header;
use crate::store::error::damaged;
use crate::store::folder::INDEX_FILE;
use crate::store::items::stored_block;
use crate::store::open::{Db, Mode};
use crate::store::records::{ItemTable, RunKind};
use crate::store::runs::in_force;
use crate::store::stream::STREAM_ROWS;

/// A digest, and the part of the chain that it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexDigest {
    /// SHA-256 over blocks, spans, Merkle nodes and all postings up to `height`.
    pub hash: [u8; 32],
    /// Height of the last block covered.
    pub height: Height,
    /// Number of transactions up to that block.
    pub txs: u32,
}

impl fmt::Display for IndexDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.hash {
            write!(f, "{byte:02x}")?;
        }
        write!(f, " transactions={} height={}", self.txs, self.height)
    }
}

/// Digest of the index that the configuration names.
pub fn of_config(config: &Config, height: Option<u32>) -> Result<IndexDigest> {
    let params = ChainParams::of(config.network.params()).with_magic(config.magic);
    let db = Db::open(&config.index_dir().join(INDEX_FILE), &params, Mode::Read)?;
    digest(&db, height.map(Height))
}

/// Digest up to `height`, or up to the last stored block.
pub fn digest(db: &Db, height: Option<Height>) -> Result<IndexDigest> {
    // everything is read in one read transaction, so that a running server may go on writing
    db.begin_read()?;
    let outcome = digest_of_moment(db, height);
    db.end_read()?;
    outcome
}

fn digest_of_moment(db: &Db, height: Option<Height>) -> Result<IndexDigest> {
    let state = db.state()?;
    let Some(last) = state.height() else {
        return Err(Error::NoInput(format!("{}: holds no blocks yet", db.path.display())));
    };
    let height = height.unwrap_or(last);
    if height > last {
        return Err(Error::Usage(format!("the index ends at height {last}")));
    }
    let txs =
        if height == last { TxNum(state.txs) } else { stored_block(db, height.next())?.first };
    let mut hasher = Sha256Stream::default();
    hasher.update(b"hekte digest 2");
    hash_blocks(db, height, &mut hasher)?;
    hash_spans(db, height, txs, &mut hasher)?;
    for kind in RunKind::ALL {
        hash_postings(db, kind, txs, &mut hasher)?;
    }
    Ok(IndexDigest { hash: hasher.finish(), height, txs: txs.0 })
}

fn hash_blocks(db: &Db, height: Height, hasher: &mut Sha256Stream) -> Result<()> {
    let mut left = height.0 as usize + 1;
    db.each_row(ItemTable::Blocks, |_, row| {
        let items = left.min(row.len() / BlockItem::BYTES);
        hasher.update(&row[..items * BlockItem::BYTES]);
        left -= items;
        Ok(())
    })?;
    whole(db, left, "blocks")
}

/// Hashes what is stored of the spans of all blocks up to `height`: for each block its spans, then
/// its Merkle nodes. Spans must end one behind the other, the last one with the block, and the
/// nodes must lead to the root in its header.
pub(super) fn hash_spans(
    db: &Db,
    height: Height,
    txs: TxNum,
    hasher: &mut Sha256Stream,
) -> Result<()> {
    let mut spans = Items::<{ SpanItem::BYTES }>::of(db, ItemTable::Spans);
    let mut nodes = Items::<NODE_BYTES>::of(db, ItemTable::Nodes);
    let mut block = stored_block(db, Height(0))?;
    for h in 0..=height.0 {
        let next = (h < height.0).then(|| stored_block(db, Height(h + 1))).transpose()?;
        let end = next.as_ref().map_or(txs, |next| next.first);
        let broken = || damaged(&db.path, format_args!("what is stored of block {h}"));
        let count = end.0.checked_sub(block.first.0).ok_or_else(broken)?;
        let span = first_span_of(Height(h), block.first);
        let mut covered = first_tx_offset(count);
        for item in span..span + u64::from(spans_of(count)) {
            let bytes = spans.get(item)?;
            let end = SpanItem::decode(bytes).end;
            if end <= covered {
                return Err(broken());
            }
            covered = end;
            hasher.update(bytes);
        }
        let mut level = Vec::new();
        for item in span..span + u64::from(nodes_of(count)) {
            let node = nodes.get(item)?;
            level.push(*node);
            hasher.update(node);
        }
        let root = merkle_root(level);
        let fits = root.is_none_or(|root| root == header::merkle_root(&block.header));
        if covered != block.bytes || !fits {
            return Err(broken());
        }
        block = next.unwrap_or(block);
    }
    Ok(())
}

/// Items of a table in ascending order, each row read once.
struct Items<'a, const N: usize> {
    db: &'a Db,
    table: ItemTable,
    key: i64,
    row: Vec<u8>,
}

impl<'a, const N: usize> Items<'a, N> {
    fn of(db: &'a Db, table: ItemTable) -> Self {
        Items { db, table, key: -1, row: Vec::new() }
    }

    fn get(&mut self, item: u64) -> Result<&[u8; N]> {
        let key = row_of(N, item);
        if key != self.key {
            self.row = self.db.row(self.table, key)?.unwrap_or_default();
            self.key = key;
        }
        item_of(&self.row, item)
            .ok_or_else(|| damaged(&self.db.path, format_args!("{} row {key}", self.table.name())))
    }
}

fn hash_postings(db: &Db, kind: RunKind, txs: TxNum, hasher: &mut Sha256Stream) -> Result<()> {
    let runs = in_force(&db.runs()?).into_iter().filter(|run| run.kind == kind);
    let merged = Merge::new(runs.map(|run| db.stream(run, ShortPrefix(0), STREAM_ROWS)).collect())?;
    for posting in merged {
        let posting = posting?;
        if posting.txnum < txs {
            let mut bytes = [0; 9];
            bytes[..5].copy_from_slice(&posting.prefix.0.to_be_bytes()[3..]);
            bytes[5..].copy_from_slice(&posting.txnum.0.to_be_bytes());
            hasher.update(bytes);
        }
    }
    Ok(())
}

fn whole(db: &Db, left: usize, table: &str) -> Result<()> {
    if left == 0 {
        return Ok(());
    }
    Err(damaged(&db.path, format_args!("table {table} ({left} items are missing, so it)")))
}
