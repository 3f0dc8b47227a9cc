//! How much memory there is, and how much of it we use; `None` rather than a wrong figure.

use std::fs;
use std::path::{Component, Path};

use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::{SysconfVar, sysconf};

/// Bytes of RAM in this machine.
pub fn ram_bytes() -> Option<u64> {
    // sysconf asks the kernel through sysinfo(2), which works where /proc is closed
    let pages = sysconf(SysconfVar::_PHYS_PAGES).ok()??;
    Some(u64::try_from(pages).ok()? * page_bytes())
}

/// The smallest memory limit in bytes that systemd or a container set on us; `None` without one.
pub fn cgroup_limit_bytes() -> Option<u64> {
    let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    limit_under(Path::new("/sys/fs/cgroup"), &membership)
}

/// Bytes of RAM that this process holds now; where /proc is closed, the most it ever held.
pub fn rss_bytes() -> Option<u64> {
    if let Ok(statm) = fs::read_to_string("/proc/self/statm")
        && let Some(pages) = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok())
    {
        return Some(pages * page_bytes());
    }
    peak_rss_bytes()
}

/// Bytes that this process made disks read and write since it started; `None` where /proc is
/// closed.
pub fn disk_bytes() -> Option<(u64, u64)> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    let number = |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    Some((number("read_bytes: ")?, number("write_bytes: ")?))
}

/// The most bytes of RAM that this process ever held.
pub fn peak_rss_bytes() -> Option<u64> {
    // getrusage would also count what the parent process held when it started us
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    if let Some(kib) = kib.and_then(|kib| kib.parse::<u64>().ok()) {
        return Some(kib * 1024);
    }
    let kib = getrusage(UsageWho::RUSAGE_SELF).ok()?.max_rss();
    u64::try_from(kib).ok().map(|kib| kib * 1024)
}

/// The bytes of a memory page: 4 KiB on most boards, 16 KiB with the Raspberry Pi 5's own kernel.
fn page_bytes() -> u64 {
    let bytes = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(4096)
}

/// The smallest limit below `root` that applies to us. A limit may be set on any ancestor of our
/// group, so all of them are read; version 1 keeps its memory groups in a folder of their own. In a
/// container the path may not exist below `root`, but `root` itself then carries the container's
/// limit.
fn limit_under(root: &Path, membership: &str) -> Option<u64> {
    let mut limits = Vec::new();
    for line in membership.lines().chain(["0::/", "0:memory:/"]) {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (mut folder, name) = if controllers.is_empty() {
            (root.to_path_buf(), "memory.max")
        } else if controllers.split(',').any(|name| name == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        limits.extend(read_limit(&folder.join(name)));
        for component in Path::new(group).components() {
            if let Component::Normal(part) = component {
                folder.push(part);
                limits.extend(read_limit(&folder.join(name)));
            }
        }
    }
    limits.into_iter().min()
}

/// The limit in a file. "max" in version 2 and a number near 2^63 in version 1 both mean no limit.
fn read_limit(file: &Path) -> Option<u64> {
    const NO_LIMIT: u64 = 1 << 60;
    let bytes = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    (bytes < NO_LIMIT).then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn this_machine_has_memory_and_we_use_some() {
        let ram = ram_bytes().unwrap();
        let rss = rss_bytes().unwrap();
        assert!(rss > 0 && rss < ram, "{rss} of {ram}");
        let before = disk_bytes().unwrap().1;
        let file = std::env::temp_dir().join(format!("hekte-io-{}", std::process::id()));
        fs::write(&file, [1; 100_000]).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(disk_bytes().unwrap().1 >= before);
    }

    #[test]
    fn the_tightest_ancestor_counts() {
        let root = std::env::temp_dir().join(format!("hekte-cgroup-{}", std::process::id()));
        let group = root.join("system.slice/hekte.service");
        fs::create_dir_all(&group).unwrap();
        fs::create_dir_all(root.join("memory/box")).unwrap();
        let membership = "0::/system.slice/hekte.service\n5:cpu,memory:/box\n1:name=systemd:/x\n";
        assert_eq!(limit_under(&root, membership), None);

        fs::write(group.join("memory.max"), "max\n").unwrap();
        fs::write(root.join("system.slice/memory.max"), "536870912\n").unwrap();
        assert_eq!(limit_under(&root, membership), Some(512 << 20));

        fs::write(root.join("memory/box/memory.limit_in_bytes"), "268435456\n").unwrap();
        assert_eq!(limit_under(&root, membership), Some(256 << 20));

        let unlimited = "9223372036854771712\n";
        fs::write(root.join("memory/box/memory.limit_in_bytes"), unlimited).unwrap();
        assert_eq!(limit_under(&root, membership), Some(512 << 20));
        fs::remove_dir_all(&root).unwrap();
    }
}
