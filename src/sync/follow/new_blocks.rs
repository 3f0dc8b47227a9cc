//! Finds a new block in the files: first where bitcoind appends, and if it is not there,
//! everywhere.

use std::time::{Duration, Instant};

use log::{info, warn};

use crate::chain::list::BlockList;
use crate::chain::tree::BlockTree;
use crate::error::Result;
use crate::ids::{BlockHash, Height};
use crate::index::extract::LoadedBlock;
use crate::sync::blocks::load::{Load, LoadBuffers};
use crate::sync::context::SyncContext;
use crate::sync::served::index::ServedIndex;

use super::locate::{Newest, list_all, look_again, newest_are_in_place, scan_newest};

/// The shortest time between two looks through all files for a missing block.
const FULL_SCAN_EVERY: Duration = Duration::from_secs(600);

/// What the newest files held when they were last read.
#[derive(Default)]
pub struct NewBlocks {
    newest: BlockTree,
    /// Where all blocks stand; empty until a block is not in the newest files.
    all: BlockList,
    buffers: LoadBuffers,
    last_full_scan: Option<Instant>,
}

impl NewBlocks {
    /// Frees the list of all blocks, because every block that was looked for is found.
    pub fn forget(&mut self) {
        self.all = BlockList::default();
    }

    /// The block of that hash; `None` if it is not readable yet.
    pub fn find(
        &mut self,
        context: &SyncContext,
        index: &mut ServedIndex,
        height: Height,
        hash: &BlockHash,
    ) -> Result<Option<LoadedBlock>> {
        let loader = &context.loader;
        // first what was found the last time, then the files as they are now
        for fresh in [None, Some(Newest::ByNumber), Some(Newest::ByTime)] {
            if let Some(by) = fresh {
                if let Err(error) = loader.dir().reopen() {
                    warn!("{error}");
                    return Ok(None);
                }
                self.newest = scan_newest(loader, by)?;
                if !newest_are_in_place(index, loader)? {
                    look_again(index, loader)?;
                }
            }
            let newest = self.newest.find(hash).map(|id| self.newest.copies(id));
            let Some(copies) = newest.or_else(|| self.all.find(hash)) else { continue };
            match loader.load(&copies, &mut self.buffers)? {
                Load::Block(block) => return Ok(Some(*block)),
                Load::Unusable(why) if fresh == Some(Newest::ByTime) => {
                    warn!("block {height} cannot be used yet: {why}");
                }
                Load::Unusable(_) => {}
            }
        }
        let due = self.last_full_scan.is_none_or(|last| last.elapsed() > FULL_SCAN_EVERY);
        if due {
            self.last_full_scan = Some(Instant::now());
            info!("block {height} ({hash}) is not in the newest files; looking through all");
            self.all = list_all(loader, index.blocks())?;
        }
        Ok(None)
    }
}
