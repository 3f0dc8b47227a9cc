//! The folder of an index: the names of its files, the lock that keeps it to one process, how it is
//! emptied, and how a damaged index is marked to be built anew.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use log::warn;

use crate::error::{Error, Result};

/// The index that is served.
pub const INDEX_FILE: &str = "index.sqlite";
/// Runs of a build that is not done; deleted at its end.
pub const BULK_FILE: &str = "bulk.sqlite";
/// SQLite keeps the write-ahead log of a database in a file of its name and this ending.
pub(super) const LOG_ENDING: &str = "-wal";
/// The endings of all files that belong to one database; the empty one is the database itself.
const ENDINGS: [&str; 4] = ["", "-journal", LOG_ENDING, "-shm"];

/// Holds why the index is to be built anew at the next start.
const DAMAGED_FILE: &str = "damaged";
/// The name that [`DAMAGED_FILE`] gets once the damaged index is removed; its time is that of the
/// damage.
const REBUILT_FILE: &str = "rebuilt";
/// An index that is damaged again within this time is not built anew by itself. Its disk should be
/// looked at: building again and again would wear the disk out and hide the fault.
const REBUILD_PAUSE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Most bytes that are read of a reason.
const REASON_BYTES_MAX: u64 = 4096;

/// Takes the lock of the index for this process. The kernel gives it back when the process ends,
/// however that ends.
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

/// Deletes the index, finished or half-built, and the marks of damage; the lock stays.
pub fn remove_index(folder: &Path) -> Result<()> {
    warn!("--rebuild: removing the index in {}", folder.display());
    remove_databases(folder)?;
    remove(&folder.join(DAMAGED_FILE))?;
    remove(&folder.join(REBUILT_FILE))
}

fn remove_databases(folder: &Path) -> Result<()> {
    remove_database(folder, INDEX_FILE)?;
    remove_database(folder, BULK_FILE)
}

fn remove_database(folder: &Path, file: &str) -> Result<()> {
    ENDINGS.iter().try_for_each(|ending| remove(&folder.join(format!("{file}{ending}"))))
}

/// Deletes the database of a build's runs, if it is there, once they are merged.
pub fn remove_bulk(folder: &Path) -> Result<()> {
    remove_database(folder, BULK_FILE)
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path, &error)),
        _ => Ok(()),
    }
}

fn at(path: &Path, error: &io::Error) -> Error {
    Error::Io(format!("{}: {error}", path.display()))
}

/// Marks the index as damaged, so that the next start builds it anew, unless it was built anew a
/// short time ago. Returns the error to end with in both cases.
pub fn mark_damaged(folder: &Path, why: &str) -> Error {
    let rebuilt = fs::metadata(folder.join(REBUILT_FILE)).and_then(|meta| meta.modified());
    // a time in the future counts as recent, too: on a board without a clock the time may be set
    // back
    let age = rebuilt.map(|then| SystemTime::now().duration_since(then).unwrap_or_default());
    if age.is_ok_and(|age| age < REBUILD_PAUSE) {
        return Error::Data(format!(
            "{why}. The index was damaged before, less than 30 days ago, and built anew: look at \
             the disk that {} is on, its cable and its power, and at the memory; then start with \
             --rebuild",
            folder.display()
        ));
    }
    let path = folder.join(DAMAGED_FILE);
    let mark = || {
        let mut file = File::create(&path)?;
        file.write_all(why.as_bytes())?;
        file.sync_all()
    };
    match mark() {
        Ok(()) => Error::TryAgain(format!(
            "{why}; it is marked for that, and the next start builds it anew by itself"
        )),
        Err(error) => Error::Data(format!("{why} ({} cannot be written: {error})", path.display())),
    }
}

/// Removes an index that [`mark_damaged`] has marked.
pub fn remove_if_marked_damaged(folder: &Path) -> Result<()> {
    let path = folder.join(DAMAGED_FILE);
    let mut why = String::new();
    match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(&path, &error)),
        // the reason is for the log only, so it does not matter if it cannot be read
        Ok(file) => drop(file.take(REASON_BYTES_MAX).read_to_string(&mut why)),
    }
    warn!("the index was found damaged; removing it, to build it anew. What was found: {why}");
    remove_databases(folder)?;
    let rebuilt = folder.join(REBUILT_FILE);
    fs::rename(&path, &rebuilt).map_err(|error| at(&rebuilt, &error))
}
