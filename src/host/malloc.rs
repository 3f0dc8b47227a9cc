//! Makes glibc's malloc give large blocks back to the kernel. musl, which the packages are built
//! with, always does so.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::Command;

use log::warn;

/// The environment variable in which glibc looks for its settings.
const VARIABLE: &str = "GLIBC_TUNABLES";
/// Blocks of half a mebibyte or more come from the kernel and go back to it. Without this setting,
/// malloc raises that bound to the largest block ever freed, and after long answers each of its
/// heaps keeps tens of megabytes.
const SETTING: &str = "glibc.malloc.mmap_threshold=524288";

/// Restarts the program, as the same process, with that setting. Returns if the setting is in force
/// already, is not needed, or if somebody else has set the variable.
pub fn give_large_blocks_back() {
    if !cfg!(target_env = "gnu") || env::var_os(VARIABLE).is_some() {
        return;
    }
    let mut args = env::args_os();
    let (Ok(own), Some(name)) = (env::current_exe(), args.next()) else { return };
    // exec returns only if it failed
    let error = Command::new(own).arg0(name).args(args).env(VARIABLE, SETTING).exec();
    warn!("cannot start anew with {VARIABLE}={SETTING} ({error}); memory may pass its limit");
}
