//! Answers questions about headers while there is no index to serve yet.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::chain::key::BlockKey;
use crate::ids::{BlockCount, HeaderBytes, Height};
use crate::live::progress::Progress;
use crate::live::served::{HeaderSource, Snapshot};
use crate::live::table::HeaderTag;
use crate::live::tip::Tip;
use crate::sync::blocks::load::BlockLoader;

use super::plan::Plan;

/// Headers during a build: they are read from the block files and checked against the plan.
pub struct BuildHeaders {
    /// What is being indexed.
    pub plan: Arc<Plan>,
    /// The files.
    pub loader: Arc<BlockLoader>,
    /// How far the build is.
    pub progress: Arc<Progress>,
}

impl HeaderSource for BuildHeaders {
    fn tip(&self) -> Option<Tip> {
        let height = BlockCount(self.progress.blocks.load(Ordering::Relaxed)).tip()?;
        Some(Tip { height, header: self.header(height)? })
    }

    fn header(&self, height: Height) -> Option<HeaderBytes> {
        let copies = self.plan.copies(height)?;
        copies.all().find_map(|pos| {
            let found = self.loader.header_at(pos).ok()??;
            (BlockKey::of_header(&found) == copies.key).then_some(found)
        })
    }
}

/// Headers of a finished index that is not served yet, because bitcoind is still catching up.
pub struct StoredHeaders {
    /// What will be served.
    pub snapshot: Snapshot,
    /// The files.
    pub loader: Arc<BlockLoader>,
}

impl HeaderSource for StoredHeaders {
    fn tip(&self) -> Option<Tip> {
        Some(Tip { height: self.snapshot.tip()?, header: self.snapshot.tip_header })
    }

    fn header(&self, height: Height) -> Option<HeaderBytes> {
        let block = self.snapshot.table.get(height)?;
        let found = self.loader.header_at(block.pos).ok()??;
        (HeaderTag::of(&found) == block.tag).then_some(found)
    }
}
