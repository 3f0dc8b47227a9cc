//! The command line: subcommands, and the settings that all of them share.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::config::Config;
use crate::config::settings::Flags;
use crate::error::{Error, Result};

const AFTER_HELP: &str = "\
Settings come from defaults, then /etc/hekte/hekte.toml (or --config FILE), then variables named
HEKTE_ and the setting, then flags; the last one wins. In the file, --bitcoin-dir is bitcoin_dir.
Exit codes: 0 done, 64 usage, 65 damaged data, 66 file missing, 69 bitcoind unavailable, 70 bug,
74 I/O error, 75 try again, 77 permission, 78 configuration.";

/// The subcommand that was given.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Index and serve; what hekte does when no command is given
    Run,
    /// Is everything in place? Files, permissions, bitcoind, disk space, clock: one line each
    Check {
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Height, tip, lag and sizes, from a running server or from the database
    Status {
        /// One JSON object instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Digest of the index, the same on every machine for the same chain
    Digest {
        /// The last block that counts [default: the newest indexed]
        #[arg(long, value_name = "H")]
        height: Option<u32>,
    },
    /// Read the whole index and check every checksum and invariant
    Verify,
}

/// An Electrum server that reads the files bitcoind already wrote.
#[derive(Debug, Parser)]
#[command(name = "hekte", bin_name = "hekte", version)]
#[command(after_help = AFTER_HELP, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Read settings from this file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// The outcome of reading a command line.
#[derive(Debug)]
pub enum Parsed {
    /// Help or version: print this text on stdout and exit 0.
    Print(String),
    /// Run this command with this configuration.
    Do(Command, Box<Config>),
}

/// The whole command line, for the man page and the completions.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads the command line (program name first), the environment and the configuration file.
///
/// Errors: `Usage` for the command line itself, else what [`Config::load`] returns.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Parsed> {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let text = error.render().to_string();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Parsed::Print(text)),
                _ => Err(Error::Usage(text.trim_start_matches("error: ").trim_end().into())),
            };
        }
    };
    let config = Config::load(&cli.flags, cli.config.as_deref(), environment)?;
    Ok(Parsed::Do(cli.command.unwrap_or(Command::Run), Box::new(config)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn run(line: &str) -> Result<Parsed> {
        parse(line.split_whitespace().map(OsString::from), [])
    }

    fn done(line: &str) -> (Command, Config) {
        match run(line).unwrap() {
            Parsed::Do(command, config) => (command, *config),
            Parsed::Print(text) => panic!("{text}"),
        }
    }

    #[test]
    fn flags_may_stand_before_and_after_the_command() {
        let (command, config) = done("hekte --network regtest check --json --offline");
        assert_eq!(command, Command::Check { json: true });
        assert_eq!(config.network.name(), "regtest");
        assert!(config.offline());
        let (command, config) = done("hekte digest --height 5 --network=signet");
        assert_eq!(command, Command::Digest { height: Some(5) });
        assert_eq!(config.network.name(), "signet");
        assert_eq!(done("hekte --sync-only").0, Command::Run);
        assert!(done("hekte run --sync-only --offline=no").1.sync_only);
        assert_eq!(done("hekte --memory 64MiB --memory 128MiB").1.memory_bytes, 128 << 20);
    }

    #[test]
    fn help_version_and_mistakes() {
        assert!(
            matches!(run("hekte --version").unwrap(), Parsed::Print(v) if v == "hekte 0.1.0\n")
        );
        assert!(matches!(run("hekte check --help").unwrap(), Parsed::Print(_)));
        for bad in ["hekte --nonsense", "hekte fly", "hekte --memory", "hekte digest --height x"] {
            assert_eq!(run(bad).unwrap_err().code(), 64, "{bad}");
        }
        assert_eq!(run("hekte --memory 5MiB").unwrap_err().code(), 64);
    }
}
