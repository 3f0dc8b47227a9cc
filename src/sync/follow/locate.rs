//! Checks the remembered positions of blocks, and finds the blocks again where positions are wrong.

use std::time::{Duration, Instant};

use log::{info, warn};

use crate::blockfile::dir::{FileNum, FilePos};
use crate::chain::key::BlockKey;
use crate::chain::list::BlockList;
use crate::chain::scan::scan_file;
use crate::chain::tree::BlockTree;
use crate::error::{Error, Result};
use crate::ids::{BlockCount, Height};
use crate::limits::{NEWEST_FILES, POSITIONS_CHECKED};
use crate::live::served::Served;
use crate::live::table::HeaderTag;
use crate::parse::block::check_block;
use crate::sync::blocks::load::{BlockLoader, RecordCopy};
use crate::sync::blocks::scan::each_block;
use crate::sync::served::index::ServedIndex;

/// The shortest pause between two looks through all files.
const RESCAN_PAUSE_MIN: Duration = Duration::from_secs(1);

/// How the few files are chosen in which new blocks appear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newest {
    /// The files with the highest numbers.
    ByNumber,
    /// The files that were written to last.
    ByTime,
}

/// The blocks in the newest files, where new blocks appear.
pub fn scan_newest(loader: &BlockLoader, by: Newest) -> Result<BlockTree> {
    let mut tree = BlockTree::default();
    let files: Vec<FileNum> = match by {
        Newest::ByNumber => loader.dir().block_files()?.into_iter().rev().collect(),
        Newest::ByTime => loader.dir().written_last(NEWEST_FILES)?,
    };
    for file in files.into_iter().take(NEWEST_FILES) {
        scan_file(loader.dir(), file, loader.params().magic, |header, pos| {
            tree.add(header, pos);
        })?;
    }
    Ok(tree)
}

/// Where all blocks stand; `expected` is about how many there are.
pub fn list_all(loader: &BlockLoader, expected: BlockCount) -> Result<BlockList> {
    let expected = expected.0 as usize;
    // a few more blocks than those of the chain
    let mut list = BlockList::with_capacity(expected + expected / 50 + 1000);
    each_block(loader, |header, pos| list.add(header, pos), |_| ())?;
    list.sort();
    Ok(list)
}

/// Whether the newest blocks stand where they did; only their positions are read.
pub fn newest_are_in_place(index: &ServedIndex, loader: &BlockLoader) -> Result<bool> {
    let table = &index.snapshot().table;
    let blocks = table.blocks().0;
    for height in (blocks.saturating_sub(POSITIONS_CHECKED)..blocks).map(Height) {
        let Some(block) = table.get(height) else { continue };
        let header = loader.header_at(block.pos)?;
        if header.is_none_or(|header| HeaderTag::of(&header) != block.tag) {
            info!("block {height} does not stand where it was");
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_whole(loader: &BlockLoader, key: BlockKey, pos: FilePos) -> bool {
    let mut bytes = Vec::new();
    let read = loader.read_block(key, pos, &mut bytes);
    read.is_ok_and(|read| read == RecordCopy::Whole(())) && check_block(&bytes).is_ok()
}

/// Looks through all files and corrects every position.
pub fn find_all_again(index: &mut ServedIndex, loader: &BlockLoader) -> Result<()> {
    info!("looking through all block files for blocks that have moved");
    loader.dir().reopen()?;
    let list = list_all(loader, index.blocks())?;
    let mut missing = 0u32;
    index.correct_positions(Height(0), |_, hash| {
        let found = list.find(hash).and_then(|copies| match copies.others.is_empty() {
            true => Some(copies.first),
            // bitcoind stores a block twice only when something went wrong with the first
            false => copies.all().find(|pos| is_whole(loader, copies.key, *pos)),
        });
        missing += u32::from(found.is_none());
        found
    })?;
    if missing > 0 {
        warn!(
            "{missing} indexed blocks are in none of bitcoind's files; questions that need them \
             are answered with an error"
        );
    }
    Ok(())
}

/// Looks through the files again when questions have met wrong positions. It does so at once, but
/// for a tenth of the time at most, since a block may be gone for good.
#[derive(Debug, Default)]
pub struct Rescans {
    not_before: Option<Instant>,
}

impl Rescans {
    /// Looks again if it was asked for and the last look is long enough ago.
    pub fn serve(
        &mut self,
        index: &mut ServedIndex,
        served: &Served,
        loader: &BlockLoader,
    ) -> Result<()> {
        let begun = Instant::now();
        if self.not_before.is_some_and(|then| begun < then) || !served.take_rescan() {
            return Ok(());
        }
        look_again(index, loader)?;
        // this leaves nine tenths of the time for other things
        self.not_before = Some(Instant::now() + (begun.elapsed() * 9).max(RESCAN_PAUSE_MIN));
        Ok(())
    }
}

/// Calls [`find_all_again`] while serving, where a file that is missing or unreadable costs only
/// the answers that need it.
pub fn look_again(index: &mut ServedIndex, loader: &BlockLoader) -> Result<()> {
    match find_all_again(index, loader) {
        Err(Error::NoInput(why) | Error::Data(why) | Error::NoPermission(why)) => {
            warn!("{why}; what stands in the other files is still served");
            Ok(())
        }
        // positions that could not be stored are found again at the next start
        Err(Error::NoSpace(why)) => {
            warn!("{why}");
            Ok(())
        }
        other => other,
    }
}
