//! A small file system of its own that can be filled to the last byte; only root may mount one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::scratch::Scratch;

/// A mounted tmpfs, unmounted on drop, and a file that takes its space.
pub struct SmallDisk {
    scratch: Scratch,
    filler: PathBuf,
}

impl SmallDisk {
    /// Mounts one of so many KiB; `None`, with a loud word, where that is not allowed.
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

    /// Takes all space but so many KiB.
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

    /// Gives all of it back.
    pub fn empty(&self) {
        let _ = fs::remove_file(&self.filler);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.scratch.path()).status();
    }
}
