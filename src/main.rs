//! The program: reads the command line, starts logging, runs the command, returns its exit code.

use std::process::ExitCode;

use hekte::cli::{self, Command, Parsed};
use hekte::config::Config;
use hekte::error::{Error, Result};
use hekte::{check, daemon, host, inspect};

fn main() -> ExitCode {
    match start() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hekte: {error}");
            ExitCode::from(&error)
        }
    }
}

fn start() -> Result<ExitCode> {
    match cli::parse(std::env::args_os(), std::env::vars_os())? {
        Parsed::Print(text) => {
            print!("{text}");
            Ok(ExitCode::SUCCESS)
        }
        Parsed::Do(command, config) => run(&command, &config),
    }
}

fn run(command: &Command, config: &Config) -> Result<ExitCode> {
    host::log::start(config.log_level, config.log_timestamps)?;
    match command {
        Command::Run => {
            if !config.sync_only {
                host::malloc::give_large_blocks_back();
            }
            daemon::run(config)?;
        }
        Command::Check { json } => {
            let findings = check::run(config);
            let text = if *json { findings.json() } else { findings.to_string() };
            println!("{}", text.trim_end());
            return Ok(ExitCode::from(findings.code()));
        }
        Command::Status { json } => {
            let status = inspect::status::ask(config)?;
            println!("{}", if *json { status.json() } else { status.to_string() });
            return Ok(status.code());
        }
        Command::Digest { height } => println!("{}", inspect::digest::of_config(config, *height)?),
        Command::Verify => {
            let verdict = inspect::verify::of_config(config)?;
            println!("{verdict}");
            if !verdict.is_sound() {
                return Err(Error::Data(
                    "the index is damaged; start hekte with --rebuild to make it anew".into(),
                ));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
