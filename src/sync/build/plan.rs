//! Which block stands at which height, and where its copies are: what a build works through.

use log::warn;

use crate::blockfile::dir::FilePos;
use crate::chain::key::{BlockKey, Copies};
use crate::chain::scan::FileScan;
use crate::chain::tree::{BlockId, BlockTree};
use crate::chain::work::ByWork;
use crate::error::Result;
use crate::ids::{BlockHash, Height};
use crate::sync::blocks::load::{BlockLoader, Load, LoadBuffers};

/// The active chain as far as the files have it: 24 bytes a block.
#[derive(Debug, Default)]
pub struct Plan {
    blocks: Vec<(BlockKey, FilePos)>,
    /// What each file holds, to estimate how many bytes there are to read.
    files: Vec<FileScan>,
    /// Heights of blocks that have siblings, ascending.
    contested: Vec<Height>,
    /// Further copies of blocks, by height.
    copies: Vec<(Height, FilePos)>,
}

/// A component that says which chain is the active one, as bitcoind does.
pub trait ChainSource {
    /// Height of the best block that is fully checked.
    fn tip_height(&self) -> Result<Height>;
    /// Hashes of the blocks at `from` and the following heights, `count` at most; fewer at the
    /// tip.
    fn hashes(&self, from: Height, count: u32) -> Result<Vec<BlockHash>>;
}

impl Plan {
    /// The chain that bitcoind calls active, up to the first block that the files lack.
    pub fn by_node(tree: BlockTree, source: &dyn ChainSource, batch: u32) -> Result<Plan> {
        let tip = source.tip_height()?;
        // there are no more blocks than the files hold, whatever the node says
        let most = tree.len().min(tip.0 as usize + 1);
        let mut chain: Vec<BlockId> = Vec::with_capacity(most);
        'heights: while chain.len() <= tip.0 as usize {
            let hashes = source.hashes(Height(chain.len() as u32), batch)?;
            if hashes.is_empty() {
                break;
            }
            for hash in hashes {
                match tree.find(&hash) {
                    // bitcoind changed to another branch between two batches: the next plan follows
                    // it
                    Some(id) if chain.last().copied() != tree.parent(id) => break 'heights,
                    Some(id) => chain.push(id),
                    None => {
                        warn!("block {} is not in the files yet", chain.len());
                        break 'heights;
                    }
                }
            }
        }
        Ok(Plan::along(tree, &chain))
    }

    /// The plan without bitcoind: of the blocks that can be read with their undo data, the one with
    /// the most work is the tip.
    pub fn by_files(tree: BlockTree, loader: &BlockLoader) -> Result<Plan> {
        let genesis = &loader.params().genesis;
        let mut buffers = LoadBuffers::default();
        let mut passed_over = 0u32;
        let mut first_fault = None;
        let mut chain = Vec::new();
        for (_, id) in ByWork::over(&tree, genesis) {
            match loader.load(&tree.copies(id), &mut buffers)? {
                Load::Block(_) => {
                    chain = tree.path(genesis, id).unwrap_or_default();
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
        Ok(Plan::along(tree, &chain))
    }

    /// The plan of `chain`. The tree is used up, since there is no memory for both.
    pub fn along(tree: BlockTree, chain: &[BlockId]) -> Plan {
        let mut tree = tree.without_table();
        let files = std::mem::take(&mut tree.files);
        let blocks = Vec::with_capacity(chain.len());
        let mut plan = Plan { blocks, files, ..Plan::default() };
        for (id, height) in chain.iter().zip((0..).map(Height)) {
            plan.blocks.push((tree.key(*id), tree.first_place(*id)));
            plan.copies.extend(tree.copies_of(*id).map(|pos| (height, pos)));
            if tree.is_contested(*id) {
                plan.contested.push(height);
            }
        }
        plan
    }

    /// Keeps the first `blocks` blocks.
    pub fn truncate(&mut self, blocks: u32) {
        self.blocks.truncate(blocks as usize);
        self.contested.retain(|height| height.0 < blocks);
        self.copies.retain(|(height, _)| height.0 < blocks);
    }

    /// Number of blocks.
    pub fn blocks(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// About how many bytes the first `blocks` blocks have: each counts as the average of its file.
    pub fn bytes_of_first(&self, blocks: u32) -> u64 {
        let average = |pos: &FilePos| {
            let file = self.files.get(pos.file.0 as usize).copied().unwrap_or_default();
            file.bytes as f64 / f64::from(file.blocks.max(1))
        };
        self.blocks.iter().take(blocks as usize).map(|(_, pos)| average(pos)).sum::<f64>() as u64
    }

    /// The key of the block at a height.
    pub fn key(&self, height: Height) -> Option<BlockKey> {
        self.blocks.get(height.0 as usize).map(|(key, _)| *key)
    }

    /// Which block stands at a height, and where to read it.
    pub fn copies(&self, height: Height) -> Option<Copies> {
        let (key, first) = *self.blocks.get(height.0 as usize)?;
        let start = self.copies.partition_point(|(other, _)| *other < height);
        let others = self.copies[start..].iter().take_while(|(other, _)| *other == height);
        let others = others.map(|(_, pos)| *pos).collect();
        let contested = self.contested.binary_search(&height).is_ok();
        Some(Copies { key, contested, first, others })
    }

    /// Memory that a plan of `blocks` blocks takes.
    pub const fn bytes_of(blocks: u64) -> u64 {
        blocks * size_of::<(BlockKey, FilePos)>() as u64
    }
}
