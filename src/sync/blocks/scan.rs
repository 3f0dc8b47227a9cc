//! The scan of all block files: which blocks there are, and where they stand.

use std::sync::atomic::Ordering;

use log::info;

use crate::blockfile::dir::{FileNum, FilePos, Kind};
use crate::chain::scan::{FileScan, scan_file};
use crate::chain::tree::BlockTree;
use crate::error::{Error, Result};
use crate::ids::HeaderBytes;
use crate::live::progress::{Progress, Stage};

use super::load::BlockLoader;

/// Reads the header of every block in the files into a tree.
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

/// Calls `found_at` for every block in all files, and `scanned` with the number of files that are
/// done. Returns what each file holds.
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
