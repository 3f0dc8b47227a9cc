//! What an error of SQLite means for the operator.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;
use crate::host::access::may_write;
use crate::host::disk;

/// With less free space than this on the disk, an error while writing is taken for a full disk.
const FULL_BELOW_BYTES: u64 = 1 << 20;

/// What every message about damage ends with.
const MEND: &str = "The index can always be built again from the block files: --rebuild does so";

/// Translates an error of SQLite; `path` is the database that it came from.
pub fn sql_error(path: &Path, error: &rusqlite::Error) -> Error {
    let full = || {
        let free = path.parent().map(disk::free_bytes);
        matches!(free, Some(Ok(free)) if free < FULL_BELOW_BYTES)
    };
    let shown = path.display();
    match error.sqlite_error_code() {
        // on a full disk a journal cannot be made, and a shared memory file cannot grow
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) if full() => no_space(shown),
        Some(ErrorCode::DiskFull) => no_space(shown),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::TryAgain(format!(
            "{shown}: in use by another process; is hekte running already?"
        )),
        // SQLite also calls a file read-only if a damaged header of the file says so
        Some(ErrorCode::ReadOnly) if may_be_written(path) => {
            Error::Damaged(format!("{shown}: damaged ({error}). {MEND}"))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            Error::NoPermission(format!(
                "{shown}: cannot be opened for writing ({error}); look at owner and mode of the \
                 file and its folder"
            ))
        }
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport,
        ) => Error::Io(format!("{shown}: {error}")),
        // our statements are right, so a table that is missing, a value of another type or a key
        // that exists already is a sign of damage, as much as a page that makes no sense
        _ => Error::Damaged(format!("{shown}: damaged ({error}). {MEND}")),
    }
}

fn may_be_written(path: &Path) -> bool {
    may_write(path) && path.parent().is_some_and(may_write)
}

fn no_space(path: impl std::fmt::Display) -> Error {
    Error::NoSpace(format!(
        "{path}: the disk is full. Nothing is lost: free some space, and hekte goes on where it \
         stopped"
    ))
}

/// The error for a row whose checksum or content does not fit.
pub fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::Damaged(format!("{}: {what} is damaged. {MEND}", path.display()))
}
