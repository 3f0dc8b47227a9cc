//! Errors grouped by what the operator does next, each with its exit code from sysexits.

use std::process::ExitCode;

/// Why hekte stops; the text says what is wrong, where, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong: an unknown key, a value out of range, two contradicting values.
    #[error("{0}")]
    Config(String),
    /// A file or folder that should be there is not.
    #[error("{0}")]
    NoInput(String),
    /// hekte may not read or write a file.
    #[error("{0}")]
    NoPermission(String),
    /// bitcoind does not answer now: it is down, starting or busy. This may pass by itself.
    #[error("{0}")]
    Away(String),
    /// bitcoind cannot provide what is needed: it is pruned, or its settings forbid a call we need.
    #[error("{0}")]
    Unavailable(String),
    /// Stored data that hekte cannot use: not its own, of another version, or damaged in bitcoind's
    /// files.
    #[error("{0}")]
    Data(String),
    /// Our own index is damaged; hekte can build it again.
    #[error("{0}")]
    Damaged(String),
    /// Reading or writing failed: disk full, I/O error.
    #[error("{0}")]
    Io(String),
    /// The disk is full, or soon would be. Work that waits for space goes on once there is some.
    #[error("{0}")]
    NoSpace(String),
    /// A condition that passes soon; trying again helps.
    #[error("{0}")]
    TryAgain(String),
    /// An assumption of our own code does not hold.
    #[error("internal error: {0}; please report it")]
    Software(String),
}

/// The result of anything that can fail with [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The exit code of sysexits.h for this kind of error.
    pub fn code(&self) -> u8 {
        match self {
            Error::Usage(_) => 64,
            Error::Data(_) | Error::Damaged(_) => 65,
            Error::NoInput(_) => 66,
            Error::Away(_) | Error::Unavailable(_) => 69,
            Error::Software(_) => 70,
            Error::Io(_) | Error::NoSpace(_) => 74,
            Error::TryAgain(_) => 75,
            Error::NoPermission(_) => 77,
            Error::Config(_) => 78,
        }
    }

    /// This error with the place where it happened in front of its text.
    pub fn at(self, place: impl std::fmt::Display) -> Error {
        use Error::*;
        match self {
            Usage(text) => Usage(format!("{place}: {text}")),
            Config(text) => Config(format!("{place}: {text}")),
            NoInput(text) => NoInput(format!("{place}: {text}")),
            NoPermission(text) => NoPermission(format!("{place}: {text}")),
            Away(text) => Away(format!("{place}: {text}")),
            Unavailable(text) => Unavailable(format!("{place}: {text}")),
            Data(text) => Data(format!("{place}: {text}")),
            Damaged(text) => Damaged(format!("{place}: {text}")),
            Io(text) => Io(format!("{place}: {text}")),
            NoSpace(text) => NoSpace(format!("{place}: {text}")),
            TryAgain(text) => TryAgain(format!("{place}: {text}")),
            Software(text) => Software(format!("{place}: {text}")),
        }
    }
}

impl From<&Error> for ExitCode {
    fn from(error: &Error) -> ExitCode {
        ExitCode::from(error.code())
    }
}
