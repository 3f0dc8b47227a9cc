//! What an error of SQLite means for the operator.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;
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
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Damaged(format!("{path}: damaged ({error}). {MEND}"))
        }
        // on a full disk a journal cannot be made, and a shared memory file cannot grow
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure) if full() => no_space(path),
        Some(ErrorCode::DiskFull) => no_space(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::TryAgain(format!("{path}: in use by another process; is hekte running already?"))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            Error::NoPermission(format!(
                "{path}: cannot be opened for writing ({error}); look at owner and mode of the \
                 file and its folder"
            ))
        }
        // a table is missing, or a value has another type: our statements are right, so the file is
        // damaged
        Some(ErrorCode::Unknown | ErrorCode::TypeMismatch) | None => {
            Error::Damaged(format!("{path}: damaged ({error}). {MEND}"))
        }
        _ => Error::Io(format!("{path}: {error}")),
    }
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
