//! Which block stands at which height, and where its copies are: what a build works through.

use std::sync::atomic::Ordering;

use log::{info, warn};

use crate::blockfile::dir::{FileNum, FilePos, Kind};
use crate::chain::key::{BlockKey, Places};
use crate::chain::scan::{FileScan, scan_file};
use crate::chain::tree::{BlockId, BlockTree};
use crate::chain::work::ByWork;
use crate::error::{Error, Result};
use crate::ids::{HeaderBytes, Height};
use crate::live::progress::{Progress, Stage};

use super::load::{BlockLoader, Load, LoadBuffers};

/// The active chain as far as the files have it: 24 bytes a block.
#[derive(Debug, Default)]
pub struct Plan {
    blocks: Vec<(BlockKey, FilePos)>,
    /// What each file holds, for how much there is to read.
    files: Vec<FileScan>,
    /// Heights of blocks that have siblings, ascending.
    contested: Vec<Height>,
    /// Further places of blocks, by height.
    copies: Vec<(Height, FilePos)>,
}

/// Who says which chain is the active one.
pub trait ChainSource {
    /// Height of the best block that is fully checked.
    fn tip_height(&self) -> Result<Height>;
    /// Hashes (internal byte order) of the blocks at `from` and the following heights, `count` at
    /// most; fewer at the tip.
    fn hashes(&self, from: Height, count: u32) -> Result<Vec<[u8; 32]>>;
}

/// Every block in the files, with what hangs on it.
pub fn scan_all(loader: &BlockLoader, progress: &Progress) -> Result<BlockTree> {
    let params = loader.params();
    progress.files.store(0, Ordering::Relaxed);
    progress.files_total.store(loader.dir().block_files()?.len() as u32, Ordering::Relaxed);
    progress.enter(Stage::Scanning);
    let mut tree = BlockTree::for_files(loader.dir().bytes_of(Kind::Block)?);
    tree.files = each_block(
        loader,
        |header, pos| {
            tree.add(header, pos);
        },
        |done| progress.files.store(done, Ordering::Relaxed),
    )?;
    if tree.find(&params.genesis).is_none() {
        return Err(Error::Data(format!(
            "{}: no block of {} in it. Either the files are of another network (--network), or \
             xor.dat is missing or not theirs",
            loader.dir().path().display(),
            params.network
        )));
    }
    Ok(tree)
}

/// Tells `found_at` of every block in all files, and `scanned` how many files are done. What each
/// of them holds comes back.
pub fn each_block(
    loader: &BlockLoader,
    mut found_at: impl FnMut(&HeaderBytes, FilePos),
    mut scanned: impl FnMut(u32),
) -> Result<Vec<FileScan>> {
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
    let mut scans = Vec::with_capacity(files.len());
    for &file in &files {
        scans.push(scan_file(dir, file, loader.params().magic, &mut found_at)?);
        scanned(scans.len() as u32);
    }
    let found: u64 = scans.iter().map(|scan| u64::from(scan.blocks)).sum();
    info!("found {found} blocks in {} files of {}", files.len(), dir.path().display());
    Ok(scans)
}

impl Plan {
    /// The chain that bitcoind calls active, up to the first block that the files lack.
    pub fn by_node(tree: BlockTree, source: &dyn ChainSource, batch: u32) -> Result<Plan> {
        let tip = source.tip_height()?;
        // no more than there are, whatever the node says
        let most = tree.len().min(tip.0 as usize + 1);
        let mut chain: Vec<BlockId> = Vec::with_capacity(most);
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
        Ok(Plan::along(tree, &chain))
    }

    /// Without bitcoind: the most work among blocks that have undo data.
    pub fn by_files(tree: BlockTree, loader: &BlockLoader) -> Result<Plan> {
        let genesis = &loader.params().genesis;
        let mut buffers = LoadBuffers::default();
        let mut passed_over = 0u32;
        let mut first_fault = None;
        let mut chain = Vec::new();
        for (_, id) in ByWork::over(&tree, genesis) {
            match loader.load(&tree.places(id), &mut buffers)? {
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

    /// The plan of that chain. The tree is used up: beside the plan there would be no room for it.
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

    /// Keeps the first `blocks`.
    pub fn truncate(&mut self, blocks: u32) {
        self.blocks.truncate(blocks as usize);
        self.contested.retain(|height| height.0 < blocks);
        self.copies.retain(|(height, _)| height.0 < blocks);
    }

    /// Number of blocks.
    pub fn blocks(&self) -> u32 {
        self.blocks.len() as u32
    }

    /// About how many bytes the first `blocks` have: each counts as the average of its file.
    pub fn bytes_of_first(&self, blocks: u32) -> u64 {
        let average = |pos: &FilePos| {
            let file = self.files.get(pos.file.0 as usize).copied().unwrap_or_default();
            file.bytes as f64 / f64::from(file.blocks.max(1))
        };
        self.blocks.iter().take(blocks as usize).map(|(_, pos)| average(pos)).sum::<f64>() as u64
    }

    /// What the block at a height is known by.
    pub fn key(&self, height: Height) -> Option<BlockKey> {
        self.blocks.get(height.0 as usize).map(|(key, _)| *key)
    }

    /// Which block stands at a height, and where to read it.
    pub fn places(&self, height: Height) -> Option<Places> {
        let (key, first) = *self.blocks.get(height.0 as usize)?;
        let start = self.copies.partition_point(|(other, _)| *other < height);
        let copies = self.copies[start..].iter().take_while(|(other, _)| *other == height);
        let copies = copies.map(|(_, pos)| *pos).collect();
        let contested = self.contested.binary_search(&height).is_ok();
        Some(Places { key, contested, first, copies })
    }

    /// Bytes that it takes for so many blocks.
    pub const fn bytes_of(blocks: u64) -> u64 {
        blocks * size_of::<(BlockKey, FilePos)>() as u64
    }
}
