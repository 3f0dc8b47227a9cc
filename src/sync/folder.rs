//! The folder of an index: one process at a time, and how it is emptied.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use log::warn;

use crate::error::{Error, Result};

use super::bulk::{BULK_FILE, INDEX_FILE};

/// Takes the index for this process. The lock is the kernel's: it ends with the process, however
/// that ends.
pub fn lock(folder: &Path) -> Result<File> {
    let at = |error: std::io::Error| {
        Error::NoPermission(format!(
            "{}: the data folder cannot be used ({error}); make it and give it to hekte's user, \
             or choose another with --data-dir",
            folder.display()
        ))
    };
    fs::create_dir_all(folder).map_err(at)?;
    let file = File::create(folder.join("lock")).map_err(at)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::TryAgain(format!(
            "{}: another hekte is using this index; stop it first, or choose another --data-dir",
            folder.display()
        ))),
        Err(TryLockError::Error(error)) => Err(at(error)),
    }
}

/// Deletes the index, the half-built one included; the lock stays.
pub fn remove_index(folder: &Path) -> Result<()> {
    warn!("--rebuild: removing the index in {}", folder.display());
    for file in [INDEX_FILE, BULK_FILE] {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let path = folder.join(format!("{file}{suffix}"));
            if path.exists() {
                fs::remove_file(&path)
                    .map_err(|error| Error::Io(format!("{}: {error}", path.display())))?;
            }
        }
    }
    Ok(())
}
