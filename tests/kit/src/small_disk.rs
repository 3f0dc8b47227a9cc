//! A small file system that can be filled to the last byte; only root can mount one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scratch::Scratch;

/// A mounted tmpfs, unmounted on drop, with a file that fills it up.
pub struct SmallDisk {
    scratch: Scratch,
    filler: PathBuf,
}

impl SmallDisk {
    /// Mounts one of `kib` KiB. Where that is not allowed, prints that the test is skipped and
    /// returns `None`.
    pub fn mount(test: &str, kib: u64) -> Option<Self> {
        let scratch = Scratch::new("disk");
        let size = format!("size={kib}k,mode=755");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "hekte-test"])
            .arg(scratch.path())
            .output();
        match mounted {
            Ok(done) if done.status.success() => {
                Some(Self { filler: scratch.join("filler"), scratch })
            }
            why => {
                eprintln!("\n*** SKIPPED {test}: no file system can be mounted ({why:?}) ***");
                None
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Fills the disk until `kib` KiB are left.
    pub fn leave(&self, kib: u64) {
        let filler = OpenOptions::new().create(true).append(true).open(&self.filler);
        let mut filler = filler.expect("an empty file needs no space");
        for size in [1 << 20, 4096] {
            let zeros = vec![0; size];
            while filler.write_all(&zeros).is_ok() {}
        }
        let len = filler.metadata().expect("an open file").len() & !4095;
        let file = File::options().write(true).open(&self.filler).expect("just written");
        file.set_len(len.saturating_sub(kib << 10)).expect("shrinking needs no space");
    }

    /// Frees all space that was filled.
    pub fn empty(&self) {
        let _ = fs::remove_file(&self.filler);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.scratch.path()).status();
    }
}
