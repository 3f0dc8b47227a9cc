//! A `blocks` folder: which files it has, and positioned reads with the xor key undone.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, RwLock};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use crate::error::Result;
use crate::host::access;
use crate::host::lock::{read, write};
use crate::limits::OPEN_BLOCK_FILES_MAX;

use super::xor::XorKey;

/// Blocks or undo data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `blkNNNNN.dat`
    Block,
    /// `revNNNNN.dat`
    Undo,
}

impl Kind {
    fn stem(self) -> &'static str {
        match self {
            Kind::Block => "blk",
            Kind::Undo => "rev",
        }
    }
}

/// Number of a file: the N of `blkN.dat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNum(pub u32);

/// Where something begins: file and byte offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePos {
    /// Which blk or rev file.
    pub file: FileNum,
    /// Offset of the first byte; files of 4 GiB and more are refused.
    pub offset: u32,
}

/// Name of a file; the number has five digits or more.
pub fn file_name(kind: Kind, file: FileNum) -> String {
    format!("{}{:05}.dat", kind.stem(), file.0)
}

/// The numbers of all files of a kind in `folder`, ascending.
pub fn list_files(folder: &Path, kind: Kind) -> io::Result<Vec<FileNum>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let digits = name.strip_prefix(kind.stem()).and_then(|rest| rest.strip_suffix(".dat"));
        if let Some(Ok(number)) = digits.filter(|d| d.len() >= 5).map(str::parse) {
            numbers.push(FileNum(number));
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A folder of block files, open for reading. Files may grow, shrink and be overwritten while we
/// read: what is read must be checked by the reader.
#[derive(Debug)]
pub struct BlockDir {
    path: PathBuf,
    key: RwLock<XorKey>,
    open: RwLock<HashMap<(Kind, FileNum), Arc<File>>>,
    /// What was read of files below this number need not stay in memory.
    forget_below: AtomicU32,
}

impl BlockDir {
    /// Opens the folder and reads its key.
    pub fn open(path: &Path) -> Result<BlockDir> {
        fs::read_dir(path).map_err(|error| access::explain(path, &error))?;
        let key = RwLock::new(XorKey::load(path)?);
        Ok(BlockDir {
            path: path.into(),
            key,
            open: RwLock::default(),
            forget_below: AtomicU32::new(0),
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key in force.
    pub fn key(&self) -> XorKey {
        *read(&self.key)
    }

    /// Path of a file.
    pub fn file_path(&self, kind: Kind, file: FileNum) -> PathBuf {
        self.path.join(file_name(kind, file))
    }

    /// The numbers of all blk files, ascending.
    pub fn block_files(&self) -> Result<Vec<FileNum>> {
        list_files(&self.path, Kind::Block).map_err(|error| access::explain(&self.path, &error))
    }

    /// The blk files that were written to last, the latest first.
    pub fn written_last(&self, count: usize) -> Result<Vec<FileNum>> {
        let mut files = Vec::new();
        for file in self.block_files()? {
            let written = fs::metadata(self.file_path(Kind::Block, file));
            files.push((written.and_then(|facts| facts.modified()).ok(), file));
        }
        files.sort_unstable();
        Ok(files.into_iter().rev().take(count).map(|(_, file)| file).collect())
    }

    /// Bytes of all files of a kind together.
    pub fn bytes_of(&self, kind: Kind) -> Result<u64> {
        let files = self.block_files()?;
        let lens = files.iter().map(|file| self.len(kind, *file));
        lens.sum()
    }

    /// Length of a file in bytes, 0 if there is none.
    pub fn len(&self, kind: Kind, file: FileNum) -> Result<u64> {
        let path = self.file_path(kind, file);
        match fs::metadata(&path) {
            Ok(meta) => Ok(meta.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(access::explain(&path, &error)),
        }
    }

    /// Fills `buffer` from `offset` on; fewer bytes only at the end of the file. The key is undone
    /// unless `raw`. A file that vanished (pruned) reads as empty.
    pub fn read(
        &self,
        kind: Kind,
        file: FileNum,
        offset: u64,
        buffer: &mut [u8],
        raw: Raw,
    ) -> Result<usize> {
        let handle = match self.handle(kind, file) {
            Ok(handle) => handle,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(access::explain(&self.file_path(kind, file), &error)),
        };
        let mut filled = 0;
        while filled < buffer.len() {
            match handle.read_at(&mut buffer[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(access::explain(&self.file_path(kind, file), &error)),
            }
        }
        if raw == Raw::No {
            self.key().apply(&mut buffer[..filled], offset);
        }
        Ok(filled)
    }

    /// Fills all of `buffer`; `false` if the file ends before.
    pub fn read_exact(&self, kind: Kind, pos: FilePos, buffer: &mut [u8]) -> Result<bool> {
        let filled = self.read(kind, pos.file, u64::from(pos.offset), buffer, Raw::No)?;
        Ok(filled == buffer.len())
    }

    /// During a bulk read: what [`BlockDir::forget`] names of files below `file` is not worth
    /// keeping. 0 ends that. Newer files stay: bitcoind reads them too, and the kernel's page
    /// cache is one for all.
    pub fn forget_below(&self, file: FileNum) {
        self.forget_below.store(file.0, Ordering::Relaxed);
    }

    /// Lets the kernel drop a range that was read just now, if its file is old enough.
    pub fn forget(&self, kind: Kind, pos: FilePos, len: u32) {
        if pos.file.0 >= self.forget_below.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(handle) = self.handle(kind, pos.file) {
            let advice = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
            // advice only: a file system that does not take it loses nothing
            let _ = posix_fadvise(&*handle, i64::from(pos.offset), i64::from(len), advice);
        }
    }

    /// Tells the kernel that a range will be read soon, so that it begins now.
    pub fn will_need(&self, kind: Kind, pos: FilePos, len: u32) {
        if let Ok(handle) = self.handle(kind, pos.file) {
            let advice = PosixFadviseAdvice::POSIX_FADV_WILLNEED;
            // advice only
            let _ = posix_fadvise(&*handle, i64::from(pos.offset), i64::from(len), advice);
        }
    }

    /// Forgets open files and reads the key again: bitcoind may have made the folder anew.
    pub fn reopen(&self) -> Result<()> {
        let key = XorKey::load(&self.path)?;
        // what is read with the wrong one of the two in between fits no hash
        *write(&self.key) = key;
        write(&self.open).clear();
        Ok(())
    }

    fn handle(&self, kind: Kind, file: FileNum) -> io::Result<Arc<File>> {
        let open = read(&self.open);
        if let Some(handle) = open.get(&(kind, file)) {
            return Ok(handle.clone());
        }
        drop(open);
        let handle = Arc::new(File::open(self.file_path(kind, file))?);
        let mut open = write(&self.open);
        if open.len() >= OPEN_BLOCK_FILES_MAX
            && let Some(&victim) = open.keys().next()
        {
            open.remove(&victim);
        }
        open.insert((kind, file), handle.clone());
        Ok(handle)
    }
}

/// Whether bytes are wanted as they stand on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw {
    /// With the key undone.
    No,
    /// As stored: for telling preallocated zeros.
    Yes,
}
