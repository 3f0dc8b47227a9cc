//! hekte as a service: what it shows to systemd, to dashboards and to users of `hekte check`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod activation;
mod doctor;
mod http;
mod memory;
mod metrics_page;
mod notify;
mod progress;
mod reload;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hekte_testkit::chain::{ChainSpec, generate};
use hekte_testkit::files::{BlockDir, FileOptions};
use hekte_testkit::scratch::Scratch;

const BINARY: &str = env!("CARGO_BIN_EXE_hekte");

/// How long anything may take before it counts as never.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with the block files of a made chain in `regtest/blocks`.
fn made_chain(blocks: u32) -> Scratch {
    made_chain_in_files_of(blocks, FileOptions::default())
}

/// The same in other files.
fn made_chain_in_files_of(blocks: u32, options: FileOptions) -> Scratch {
    let scratch = Scratch::new("service");
    let spec = ChainSpec { blocks, txs_per_block: 20, ..ChainSpec::default() };
    let folder = scratch.join("regtest/blocks");
    BlockDir::create(&folder, options).add_all(&generate(&spec).blocks);
    scratch
}

/// hekte over that chain, without bitcoind; on free ports.
fn offline(chain: &Scratch) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["--network", "regtest", "--listen", "127.0.0.1:0", "--offline"]);
    command.arg("--bitcoin-dir").arg(chain.path()).arg("--data-dir").arg(chain.join("data"));
    command
}

/// Without what the tests themselves were started with: it is none of the program's settings.
fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEKTE_") {
            command.env_remove(name);
        }
    }
    command
}

/// The command, from a shell that first sets variables: `$$` in them is hekte's own process id.
fn with_variables(command: &Command, variables: &str) -> Command {
    let mut shell = without_settings(Command::new("sh"));
    shell.args(["-c", &format!("exec 3<&0 </dev/null; export {variables}; exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    shell
}

/// Waits until something is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
