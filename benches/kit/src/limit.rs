//! A memory limit that the kernel enforces, page cache included, if control groups can be used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;

/// A control group that holds this process until the value is dropped.
pub struct Limit {
    group: PathBuf,
    parent: PathBuf,
}

impl Limit {
    /// Puts this process, and so its children, under a limit; `None` if that is not allowed.
    pub fn enter(mib: u64) -> Option<Limit> {
        let bytes = (mib << 20).to_string();
        let one = (Path::new("/sys/fs/cgroup/memory"), "memory.limit_in_bytes");
        let two = (Path::new("/sys/fs/cgroup"), "memory.max");
        for (parent, file) in [one, two] {
            let group = parent.join(format!("hekte-bench-{}", process::id()));
            if fs::create_dir(&group).is_err() {
                continue;
            }
            let limit = Limit { group, parent: parent.into() };
            if fs::write(limit.group.join(file), &bytes).is_ok() && join(&limit.group) {
                return Some(limit);
            }
        }
        None
    }

    /// Removes this process from the group; children that it has started stay.
    pub fn step_out(&self) {
        join(&self.parent);
    }

    /// The most bytes that the kernel counted, page cache included.
    pub fn peak(&self) -> u64 {
        let files = ["memory.max_usage_in_bytes", "memory.peak"];
        let texts = files.iter().filter_map(|file| fs::read_to_string(self.group.join(file)).ok());
        texts.filter_map(|text| text.trim().parse().ok()).max().unwrap_or_default()
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        join(&self.parent);
        let _ = fs::remove_dir(&self.group);
    }
}

fn join(group: &Path) -> bool {
    fs::write(group.join("cgroup.procs"), process::id().to_string()).is_ok()
}

/// Whether limits can be set on this machine.
pub fn possible() -> bool {
    Limit::enter(1024).is_some()
}
