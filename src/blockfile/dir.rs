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

/// The two kinds of files.
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

/// The number of a file: the N in `blkN.dat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNum(pub u32);

/// A position: file and byte offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePos {
    /// The number of the blk or rev file.
    pub file: FileNum,
    /// The offset of the first byte; files of 4 GiB and more are refused.
    pub offset: u32,
}

/// The name of a file; its number has five digits or more.
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
/// read, so the reader must check what it gets.
#[derive(Debug)]
pub struct BlockDir {
    path: PathBuf,
    key: RwLock<XorKey>,
    open: RwLock<HashMap<(Kind, FileNum), Arc<File>>>,
    /// For files below this number, [`BlockDir::forget`] drops what was read from the page cache.
    forget_below: AtomicU32,
}

impl BlockDir {
    /// Opens the folder and reads its xor key.
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

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The xor key in force.
    pub fn key(&self) -> XorKey {
        *read(&self.key)
    }

    /// The path of a file.
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

    /// The bytes of all files of a kind together.
    pub fn bytes_of(&self, kind: Kind) -> Result<u64> {
        let files = self.block_files()?;
        let lens = files.iter().map(|file| self.len(kind, *file));
        lens.sum()
    }

    /// The length of a file in bytes, 0 if it does not exist.
    pub fn len(&self, kind: Kind, file: FileNum) -> Result<u64> {
        let path = self.file_path(kind, file);
        match fs::metadata(&path) {
            Ok(meta) => Ok(meta.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(access::explain(&path, &error)),
        }
    }

    /// Fills `buffer` from `offset` on; fewer bytes only at the end of the file. The xor key is
    /// undone unless `raw` is `Yes`. A file that vanished (pruned) reads as empty.
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

    /// Fills all of `buffer`; `false` if the file ends too early.
    pub fn read_exact(&self, kind: Kind, pos: FilePos, buffer: &mut [u8]) -> Result<bool> {
        let filled = self.read(kind, pos.file, u64::from(pos.offset), buffer, Raw::No)?;
        Ok(filled == buffer.len())
    }

    /// During a bulk read, lets [`BlockDir::forget`] drop pages of files below `file` from the
    /// kernel's page cache; 0 ends that. Pages of newer files stay, since the cache is shared and
    /// bitcoind reads those files too.
    pub fn forget_below(&self, file: FileNum) {
        self.forget_below.store(file.0, Ordering::Relaxed);
    }

    /// Lets the kernel drop a range that was just read, if its file is below the number set by
    /// [`BlockDir::forget_below`].
    pub fn forget(&self, kind: Kind, pos: FilePos, len: u32) {
        if pos.file.0 >= self.forget_below.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(handle) = self.handle(kind, pos.file) {
            let advice = PosixFadviseAdvice::POSIX_FADV_DONTNEED;
            // this is advice only, so an error on some file systems does no harm
            let _ = posix_fadvise(&*handle, i64::from(pos.offset), i64::from(len), advice);
        }
    }

    /// Tells the kernel that a range will be read soon, so that it starts reading now.
    pub fn will_need(&self, kind: Kind, pos: FilePos, len: u32) {
        if let Ok(handle) = self.handle(kind, pos.file) {
            let advice = PosixFadviseAdvice::POSIX_FADV_WILLNEED;
            // this is advice only, so an error does no harm
            let _ = posix_fadvise(&*handle, i64::from(pos.offset), i64::from(len), advice);
        }
    }

    /// Closes all files and reads the xor key again: bitcoind may have created the folder anew.
    pub fn reopen(&self) -> Result<()> {
        let key = XorKey::load(&self.path)?;
        // reads between these two lines may use the wrong key, but then their bytes match no hash
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

/// Whether bytes are wanted as they are stored on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw {
    /// With the xor key undone.
    No,
    /// As stored, to recognise preallocated zeros.
    Yes,
}
