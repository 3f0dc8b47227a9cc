//! Which block stands at which height, and where its copies are: what a build works through.

use std::sync::Arc;

use log::{info, warn};

use crate::chain::params::ChainParams;
use crate::chain::scan::scan_file;
use crate::chain::tree::{BlockId, BlockTree};
use crate::error::{Error, Result};
use crate::ids::Height;

use super::load::{BlockLoader, LoadBuffers};

/// The active chain as far as the files have it.
#[derive(Debug)]
pub struct Plan {
    /// Everything found in the files.
    pub tree: BlockTree,
    /// The block at each height.
    pub chain: Vec<BlockId>,
}

/// Who says which chain is the active one.
pub trait ChainSource {
    /// Height of the best block that is fully checked.
    fn tip_height(&self) -> Result<Height>;
    /// Hashes (internal byte order) of the blocks at `from` and the following heights, `count` at
    /// most; fewer at the tip.
    fn hashes(&self, from: Height, count: u32) -> Result<Vec<[u8; 32]>>;
}

/// Scans all files.
pub fn scan_all(loader: &BlockLoader, params: &ChainParams) -> Result<BlockTree> {
    let dir = loader.dir();
    let files = dir.block_files()?;
    if files.first().is_none_or(|file| file.0 != 0) {
        return Err(Error::NoInput(format!(
            "{}: there is no blk00000.dat. hekte needs the files of a node that is not pruned: \
             look at --bitcoin-dir and --blocks-dir, and at prune= in bitcoin.conf",
            dir.path().display()
        )));
    }
    let mut tree = BlockTree::default();
    let mut found = 0u64;
    for &file in &files {
        found += u64::from(scan_file(dir, file, params.magic, &mut tree)?.blocks);
    }
    info!("found {found} blocks in {} files of {}", files.len(), dir.path().display());
    if tree.find(&params.genesis).is_none() {
        return Err(Error::Data(format!(
            "{}: no block of {} in it. Either the files are of another network (--network), or \
             xor.dat is missing or not theirs",
            dir.path().display(),
            params.network
        )));
    }
    Ok(tree)
}

impl Plan {
    /// The chain that bitcoind calls active, up to the first block that the files lack.
    pub fn by_node(tree: BlockTree, source: &dyn ChainSource, batch: u32) -> Result<Plan> {
        let tip = source.tip_height()?;
        let mut chain = Vec::with_capacity(tip.0 as usize + 1);
        'heights: while chain.len() <= tip.0 as usize {
            let hashes = source.hashes(Height(chain.len() as u32), batch)?;
            if hashes.is_empty() {
                break;
            }
            for hash in hashes {
                match tree.find(&hash) {
                    // bitcoind moved to another branch between two batches: that is for the next plan
                    Some(id) if chain.last().copied() != tree.parent(id) => break 'heights,
                    Some(id) => chain.push(id),
                    None => {
                        warn!("block {} is not in the files yet", chain.len());
                        break 'heights;
                    }
                }
            }
        }
        Ok(Plan { tree, chain })
    }

    /// Without bitcoind: the most work among blocks that have undo data.
    pub fn by_files(tree: BlockTree, loader: &BlockLoader, params: &ChainParams) -> Result<Plan> {
        let mut buffers = LoadBuffers::default();
        for (_, id) in tree.by_work(&params.genesis) {
            let copies = tree.positions(id);
            if loader.has_undo(tree.hash(id), copies, &mut buffers)? {
                let chain = tree.path(&params.genesis, id).unwrap_or_default();
                return Ok(Plan { tree, chain });
            }
        }
        Ok(Plan { tree, chain: Vec::new() })
    }

    /// Hash of the block at a height.
    pub fn hash(&self, height: Height) -> Option<&[u8; 32]> {
        self.chain.get(height.0 as usize).map(|id| self.tree.hash(*id))
    }
}

/// A plan that threads share.
pub type SharedPlan = Arc<Plan>;
