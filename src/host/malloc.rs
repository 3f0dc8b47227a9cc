//! How glibc's malloc is told to give large blocks back to the kernel; musl, of which the packages
//! are made, always does.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

use log::warn;

/// Where glibc looks for it.
const VARIABLE: &str = "GLIBC_TUNABLES";
/// Blocks from half a mebibyte on come from the kernel and go back to it. Left alone, malloc raises
/// that bound to the largest block ever freed: after long answers each of its heaps holds on to
/// tens of megabytes.
const SETTING: &str = "glibc.malloc.mmap_threshold=524288";

/// Starts the program anew, as the same process, with that setting; returns where it is in force,
/// not needed, or somebody else has set something.
pub fn give_large_blocks_back() {
    if !cfg!(target_env = "gnu") || env::var_os(VARIABLE).is_some() {
        return;
    }
    let mut args = env::args_os();
    let (Ok(own), Some(name)) = (env::current_exe(), args.next()) else { return };
    // on success this does not come back
    let error = Command::new(own).arg0(name).args(args).env(VARIABLE, SETTING).exec();
    warn!("cannot start anew with {VARIABLE}={SETTING} ({error}); memory may pass its limit");
}
