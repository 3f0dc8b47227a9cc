//! One hash over the logical content of an index: the same for the same chain, whatever the
//! memory, the interruptions, the reorgs and the order in which blocks stood in the files.

use std::fmt;

use crate::chain::params::ChainParams;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::hash::Sha256Stream;
use crate::ids::{Height, Prefix, TxNum};
use crate::index::extract::NODE_TXS;
use crate::index::items::{BlockItem, NODE_BYTES, first_node_of};
use crate::index::lens::lens_of;
use crate::index::merge::Merge;
use crate::index::pages::{item_of, row_of};
use crate::store::error::damaged;
use crate::store::folder::INDEX_FILE;
use crate::store::items::stored_block;
use crate::store::open::{Db, Mode};
use crate::store::runs::in_force;
use crate::store::stream::STREAM_PAGES;
use crate::store::tables::{ItemTable, RunKind};

/// What a digest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexDigest {
    /// SHA-256 over headers, first txnums, lengths, Merkle nodes and all postings up to `height`.
    pub hash: [u8; 32],
    /// The last block that counts.
    pub height: Height,
    /// Transactions up to there.
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
    // one read transaction, so that a running server may go on writing
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
    hasher.update(b"hekte digest 1");
    hash_blocks(db, height, &mut hasher)?;
    hash_lens(db, txs, &mut hasher)?;
    hash_nodes(db, height, txs, &mut hasher)?;
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

fn hash_lens(db: &Db, txs: TxNum, hasher: &mut Sha256Stream) -> Result<()> {
    let mut left = txs.0 as usize;
    db.each_row(ItemTable::Lens, |key, row| {
        let lens = lens_of(row).ok_or_else(|| damaged(&db.path, format_args!("lens {key}")))?;
        for len in lens.iter().take(left) {
            hasher.update(len.to_le_bytes());
        }
        left -= left.min(lens.len());
        Ok(())
    })?;
    whole(db, left, "lens")
}

/// Hashes the nodes of all blocks up to `height`; items between two blocks may be unused, and do
/// not count.
pub(super) fn hash_nodes(
    db: &Db,
    height: Height,
    txs: TxNum,
    hasher: &mut Sha256Stream,
) -> Result<()> {
    let mut rows: Vec<u8> = Vec::new();
    let mut row_key = -1;
    let mut first = TxNum(0);
    for h in 0..=height.0 {
        let end = if h == height.0 { txs } else { stored_block(db, Height(h + 1))?.first };
        let count = (end.0 - first.0) as usize / NODE_TXS;
        for j in 0..count {
            let node = first_node_of(first) + j as u64;
            let key = row_of(NODE_BYTES, node);
            if key != row_key {
                rows = db.row(ItemTable::Nodes, key)?.unwrap_or_default();
                row_key = key;
            }
            match item_of::<NODE_BYTES>(&rows, node) {
                Some(node) => hasher.update(node),
                None => return Err(damaged(&db.path, format_args!("nodes row {key}"))),
            }
        }
        first = end;
    }
    Ok(())
}

fn hash_postings(db: &Db, kind: RunKind, txs: TxNum, hasher: &mut Sha256Stream) -> Result<()> {
    let runs = in_force(&db.runs()?).into_iter().filter(|run| run.kind == kind);
    let merged = Merge::new(runs.map(|run| db.stream(run, Prefix(0), STREAM_PAGES)).collect())?;
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
