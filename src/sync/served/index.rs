//! The index beside a running node: the newest blocks are in memory, older ones in runs, and both
//! are published together.

use std::path::Path;
use std::sync::Arc;

use log::warn;

use crate::blockfile::dir::FilePos;
use crate::chain::params::ChainParams;
use crate::error::{Error, Result};
use crate::ids::{BlockCount, BlockHash, Height, TxNum};
use crate::index::extract::LoadedBlock;
use crate::index::items::PositionItem;
use crate::index::pages::{PageWriter, items_per_row};
use crate::live::recent::RecentBlock;
use crate::live::served::{Served, Snapshot};
use crate::live::table::HeaderTag;
use crate::live::tip::TipChange;
use crate::live::touched::TouchedList;
use crate::parse::tx::header;
use crate::store::error::damaged;
use crate::store::folder::INDEX_FILE;
use crate::store::items::{stored_block, stored_position};
use crate::store::open::{Db, Mode};
use crate::store::records::{BuildState, ItemTable, RunKind, State};
use crate::store::runs::{in_force, tiles};
use crate::sync::blocks::rollback::roll_back;

use super::settings::UpkeepSettings;
use super::stored_table::read_table;

/// The writer's side of the served index.
pub struct ServedIndex {
    pub(super) db: Db,
    pub(super) served: Arc<Served>,
    pub(super) snap: Snapshot,
    pub(super) settings: UpkeepSettings,
    /// Bytes of the write-ahead log after the last checkpoint.
    pub(super) wal_bytes: u64,
    /// Whether it is known that no runs are worth merging.
    pub(super) tidy: bool,
    /// The scripts and transactions touched since the last publication.
    touched: TouchedList,
    /// The blocks connected since the last publication.
    fresh: Vec<Arc<RecentBlock>>,
}

impl ServedIndex {
    /// Opens a finished index and reads what is kept in memory of it. Nothing is published yet.
    pub fn open(
        folder: &Path,
        params: &ChainParams,
        served: Arc<Served>,
        settings: UpkeepSettings,
    ) -> Result<ServedIndex> {
        let db = Db::open(&folder.join(INDEX_FILE), params, Mode::ReadWrite)?;
        let state = db.state()?;
        if state.phase != BuildState::Ready {
            return Err(Error::Software("an unfinished index is not served".into()));
        }
        let runs = in_force(&db.runs()?);
        if !RunKind::ALL.iter().all(|kind| tiles(&runs, *kind, state.txs)) {
            return Err(damaged(&db.path, "the list of runs"));
        }
        let mut index = ServedIndex {
            db,
            served,
            snap: Snapshot::default(),
            settings,
            wal_bytes: 0,
            tidy: false,
            touched: TouchedList::any(),
            fresh: Vec::new(),
        };
        index.load(&state)?;
        Ok(index)
    }

    /// The snapshot that the next publication makes the one that is served.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snap
    }

    /// Number of blocks.
    pub fn blocks(&self) -> BlockCount {
        self.snap.table.blocks()
    }

    /// Hash of a block of ours.
    pub fn hash(&self, height: Height) -> Result<BlockHash> {
        match self.snap.recent_at(height) {
            Some(block) => Ok(block.hash),
            None => Ok(header::hash(&stored_block(&self.db, height)?.header)),
        }
    }

    /// Adds the next block, in memory.
    pub fn connect(&mut self, block: LoadedBlock, hash: BlockHash) {
        let first = TxNum(self.snap.table.txs());
        let block = RecentBlock::new(block, hash, first);
        self.snap.table.push(block.pos, HeaderTag::of_hash(&hash), block.txs());
        self.snap.tip_header = block.header;
        self.touch(&block);
        let block = Arc::new(block);
        self.fresh.push(block.clone());
        self.snap.recent.push(block);
    }

    /// Takes blocks out again until `keep` are left. Mostly they are in memory only. If a deeper
    /// one must go, the database changes under its readers, so the outcome is published at once.
    pub fn disconnect_to(&mut self, keep: BlockCount) -> Result<Option<TipChange>> {
        while self.blocks() > keep && !self.snap.recent.is_empty() {
            if let Some(block) = self.snap.recent.pop() {
                self.fresh.retain(|fresh| fresh.hash != block.hash);
                self.touch(&block);
            }
            self.snap.table.truncate(self.blocks().less_one());
        }
        let deep = self.blocks() > keep;
        if deep {
            self.stored_state()?;
            let state = roll_back(&self.db, keep)?;
            self.touched.add_any();
            self.snap.table.truncate(keep);
            self.adopt(&state)?;
        }
        if let Some(tip) = self.snap.tip() {
            self.snap.tip_header = match self.snap.recent_at(tip) {
                Some(block) => block.header,
                None => stored_block(&self.db, tip)?.header,
            };
        }
        Ok(deep.then(|| self.publish()))
    }

    fn touch(&mut self, block: &RecentBlock) {
        self.touched.extend(block.touched().chain(block.txid_prefixes()));
    }

    /// Makes the present state the one that questions are answered from.
    pub fn publish(&mut self) -> TipChange {
        let more = self.served.publish(self.snap.clone(), &std::mem::take(&mut self.fresh));
        let mut touched = std::mem::take(&mut self.touched);
        touched.merge(&more);
        TipChange { tip: self.snap.newest(), touched: touched.finish() }
    }

    /// Corrects the positions, from height `from` on, of blocks that `find` finds elsewhere;
    /// returns how many were wrong.
    pub fn correct_positions(
        &mut self,
        from: Height,
        mut find: impl FnMut(Height, &BlockHash) -> Option<FilePos>,
    ) -> Result<u32> {
        let mut corrected = Vec::new();
        for height in (from.0..self.blocks().0).map(Height) {
            let hash = self.hash(height)?;
            if let Some(pos) = find(height, &hash)
                && self.snap.table.set_pos(height, pos)
            {
                corrected.push((height, pos, HeaderTag::of_hash(&hash)));
            }
        }
        if !corrected.is_empty() {
            warn!("{} blocks stood elsewhere in bitcoind's files than remembered", corrected.len());
            self.correct_served(&corrected);
            self.store_positions(from)?;
        }
        Ok(corrected.len() as u32)
    }

    /// Corrects the positions in the moment that is served, which may be an older one than ours.
    fn correct_served(&self, corrected: &[(Height, FilePos, HeaderTag)]) {
        if !self.served.serving() {
            return;
        }
        let mut moment = Snapshot::clone(&self.served.snapshot());
        for (height, pos, tag) in corrected {
            if moment.table.get(*height).is_some_and(|block| block.tag == *tag) {
                moment.table.set_pos(*height, *pos);
            }
        }
        let _ = self.served.publish(moment, &[]);
    }

    /// Publishes the present blocks once more, after the database has changed under them.
    pub(super) fn republish(&self) {
        if self.served.serving() {
            let _ = self.served.publish(self.snap.clone(), &[]);
        }
    }

    fn store_positions(&self, from: Height) -> Result<()> {
        let per_row = items_per_row(PositionItem::BYTES);
        let start = u64::from(from.0) / per_row * per_row;
        let table = ItemTable::Positions.rows();
        let Some(mut writer) = PageWriter::<{ PositionItem::BYTES }>::resume(table, start, &[])
        else {
            return Err(Error::Software("a row's start is not one".into()));
        };
        for height in start as u32..self.snap.disk_blocks {
            if let Some(block) = self.snap.table.get(Height(height)) {
                let stored = stored_position(&self.db, Height(height))?;
                let undo = stored.filter(|stored| stored.block == block.pos).and_then(|s| s.undo);
                writer.push(&PositionItem { block: block.pos, undo }.encode());
            }
        }
        let change = self.db.change()?;
        change.put_rows(ItemTable::Positions, &writer.take_rows())?;
        change.commit()
    }

    /// The state in the database, which must be the one that this index wrote last: an older row
    /// that a lost write has left behind has a good checksum, too.
    pub(super) fn stored_state(&self) -> Result<State> {
        let (state, snap) = (self.db.state()?, &self.snap);
        let ours = (BuildState::Ready, snap.generation, snap.disk_blocks, snap.disk_txs);
        if (state.phase, state.generation, state.blocks, state.txs) != ours {
            return Err(damaged(&self.db.path, "table state"));
        }
        Ok(state)
    }

    pub(super) fn adopt(&mut self, state: &State) -> Result<()> {
        let runs = in_force(&self.db.runs()?);
        if !RunKind::ALL.iter().all(|kind| tiles(&runs, *kind, state.txs)) {
            return Err(damaged(&self.db.path, "the list of runs"));
        }
        self.tidy = false;
        self.snap.generation = state.generation;
        self.snap.disk_blocks = state.blocks;
        self.snap.disk_txs = state.txs;
        self.snap.runs = Arc::new(runs);
        Ok(())
    }

    fn load(&mut self, state: &State) -> Result<()> {
        self.snap.table = read_table(&self.db, state)?;
        if let Some(tip) = self.snap.tip() {
            self.snap.tip_header = stored_block(&self.db, tip)?.header;
        }
        self.adopt(state)
    }
}
