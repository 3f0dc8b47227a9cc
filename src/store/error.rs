//! What an error of SQLite means for the operator.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;

/// What every message about damage ends with.
const MEND: &str = "The index can always be built again from the block files: --rebuild does so";

/// Translates; `path` is the database the error came from.
pub fn sql_error(path: &Path, error: &rusqlite::Error) -> Error {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Damaged(format!("{path}: damaged ({error}). {MEND}"))
        }
        Some(ErrorCode::DiskFull) => Error::Io(format!(
            "{path}: the disk is full. Nothing is lost: free some space and start again, and \
             hekte goes on where it stopped"
        )),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::TryAgain(format!("{path}: in use by another process; is hekte running already?"))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            Error::NoPermission(format!(
                "{path}: cannot be opened for writing ({error}); look at owner and mode of the \
                 file and its folder"
            ))
        }
        // a table that is not there, a value of another type: our own statements are not wrong
        Some(ErrorCode::Unknown | ErrorCode::TypeMismatch) | None => {
            Error::Damaged(format!("{path}: damaged ({error}). {MEND}"))
        }
        _ => Error::Io(format!("{path}: {error}")),
    }
}

/// A row whose checksum or content does not fit.
pub fn damaged(path: &Path, what: impl std::fmt::Display) -> Error {
    Error::Damaged(format!("{}: {what} is damaged. {MEND}", path.display()))
}
