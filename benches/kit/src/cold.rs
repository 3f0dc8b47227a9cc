//! Removes files from the page cache, so that the next read comes from the disk; counts reads.

use std::fs::{self, File};
use std::path::Path;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

/// Drops all of the kernel's caches if run as root, otherwise the cached files of these folders.
pub fn drop_caches(folders: &[&Path]) -> &'static str {
    nix::unistd::sync();
    if fs::write("/proc/sys/vm/drop_caches", "3").is_ok() {
        return "drop_caches";
    }
    for folder in folders {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if let Ok(file) = File::open(entry.path()) {
                let _ = posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
            }
        }
    }
    "posix_fadvise"
}

/// The reads that the kernel counted for a process so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reads {
    /// Calls that read from a file, cached or not.
    pub calls: u64,
    /// Bytes that came from the disk.
    pub disk_bytes: u64,
}

impl Reads {
    /// The reads of the process `pid`.
    pub fn of(pid: u32) -> Reads {
        let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|number| number.trim().parse().ok()).unwrap_or_default()
        };
        Reads { calls: number("syscr:"), disk_bytes: number("read_bytes:") }
    }

    /// The reads after `before`.
    pub fn since(self, before: Reads) -> Reads {
        Reads { calls: self.calls - before.calls, disk_bytes: self.disk_bytes - before.disk_bytes }
    }
}
