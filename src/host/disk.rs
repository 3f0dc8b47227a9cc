//! The disk behind a path: its free space, and whether it rotates.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use nix::sys::statvfs::statvfs;

use crate::error::{Error, Result};

/// What a disk is made of, as far as it matters for the order of reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// A hard disk, where a seek costs milliseconds.
    Rotating,
    /// An SSD or NVMe disk.
    SolidState,
    /// An SD card or eMMC: solid state, but slow to write and quick to wear.
    Card,
    /// Network, memory or pooled file systems, and whatever the kernel does not describe.
    Unknown,
}

/// The bytes that we may still write to the file system of `path`.
pub fn free_bytes(path: &Path) -> Result<u64> {
    let facts = statvfs(path).map_err(|error| {
        Error::Io(format!("cannot ask for the free space of {}: {error}", path.display()))
    })?;
    // the types of the two are u32 or u64 depending on the target
    #[allow(clippy::unnecessary_cast)]
    Ok((facts.blocks_available() as u64).saturating_mul(facts.fragment_size() as u64))
}

/// The kind of disk under the file system of `path`.
pub fn storage(path: &Path) -> Storage {
    let Ok(facts) = fs::metadata(path) else { return Storage::Unknown };
    let device = format!("{}:{}", major(facts.dev()), minor(facts.dev()));
    match fs::canonicalize(Path::new("/sys/dev/block").join(device)) {
        Ok(folder) => storage_of(&folder, 0),
        Err(_) => Storage::Unknown,
    }
}

/// The kind of the block device whose folder in /sys is `folder`; encrypted and logical volumes are
/// followed to the disks below them.
fn storage_of(folder: &Path, depth: u32) -> Storage {
    let below: Vec<PathBuf> = match fs::read_dir(folder.join("slaves")) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
        Err(_) => Vec::new(),
    };
    if !below.is_empty() && depth < 8 {
        let kinds: Vec<Storage> = below
            .iter()
            .filter_map(|slave| fs::canonicalize(slave).ok())
            .map(|slave| storage_of(&slave, depth + 1))
            .collect();
        // of several disks, the slowest decides
        let order = [Storage::Rotating, Storage::Card, Storage::SolidState];
        return order.into_iter().find(|kind| kinds.contains(kind)).unwrap_or(Storage::Unknown);
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("mmcblk") {
        return Storage::Card;
    }
    // a partition has no queue entry of its own, but its parent has
    let flag = [folder.join("queue/rotational"), folder.join("../queue/rotational")];
    match flag.iter().find_map(|file| fs::read_to_string(file).ok()).as_deref().map(str::trim) {
        Some("1") => Storage::Rotating,
        Some("0") => Storage::SolidState,
        _ => Storage::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn reads_what_the_kernel_says() {
        let root = std::env::temp_dir().join(format!("hekte-disk-{}", std::process::id()));
        for (disk, flag) in [("sda", "1\n"), ("nvme0n1", "0\n"), ("mmcblk0", "0\n")] {
            fs::create_dir_all(root.join(disk).join("queue")).unwrap();
            fs::create_dir_all(root.join(disk).join(format!("{disk}p1"))).unwrap();
            fs::write(root.join(disk).join("queue/rotational"), flag).unwrap();
        }
        let slaves = root.join("dm-0/slaves");
        fs::create_dir_all(&slaves).unwrap();
        std::os::unix::fs::symlink(root.join("sda/sdap1"), slaves.join("sdap1")).unwrap();
        assert_eq!(storage_of(&root.join("sda/sdap1"), 0), Storage::Rotating);
        assert_eq!(storage_of(&root.join("nvme0n1"), 0), Storage::SolidState);
        assert_eq!(storage_of(&root.join("mmcblk0/mmcblk0p1"), 0), Storage::Card);
        assert_eq!(storage_of(&root.join("dm-0"), 0), Storage::Rotating);
        assert_eq!(storage_of(&root.join("absent"), 0), Storage::Unknown);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn free_space_of_the_temporary_folder() {
        assert!(free_bytes(&std::env::temp_dir()).unwrap() > 0);
        assert!(free_bytes(Path::new("/nonexistent")).is_err());
    }
}
