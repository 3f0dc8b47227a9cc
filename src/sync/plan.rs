//! Which block stands at which height, and where its copies are: what a build works through.

use log::{info, warn};

use crate::blockfile::dir::{FileNum, Kind};
use crate::chain::params::ChainParams;
use crate::chain::scan::scan_file;
use crate::chain::tree::{BlockId, BlockTree};
use crate::error::{Error, Result};
use crate::ids::Height;

use super::load::{BlockLoader, Load, LoadBuffers};

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
    if let Some((gap, next)) = (0u32..).zip(&files).find(|(number, file)| *number != file.0) {
        return Err(Error::NoInput(format!(
            "{} is missing, but {} is there: every block in it and all that follow are out of \
             reach. Restore it, or let bitcoind load the chain again",
            dir.file_path(Kind::Block, FileNum(gap)).display(),
            dir.file_path(Kind::Block, *next).display()
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
                    // bitcoind changed to another branch between two batches: for the next plan
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
        let mut passed_over = 0u32;
        let mut first_fault = None;
        let mut chain = Vec::new();
        for (_, id) in tree.by_work(&params.genesis) {
            match loader.load(&tree, id, &mut buffers)? {
                Load::Block(_) => {
                    chain = tree.path(&params.genesis, id).unwrap_or_default();
                    break;
                }
                Load::Unusable(fault) => {
                    passed_over += 1;
                    first_fault.get_or_insert(fault);
                }
            }
        }
        if let Some(fault) = first_fault {
            warn!(
                "{passed_over} blocks at the end of the files are left out: bitcoind had not \
                 connected them, or they are damaged. The newest: {fault}"
            );
        }
        Ok(Plan { tree, chain })
    }

    /// Hash of the block at a height.
    pub fn hash(&self, height: Height) -> Option<&[u8; 32]> {
        self.chain.get(height.0 as usize).map(|id| self.tree.hash(*id))
    }
}
