//! Temporary folders that are removed with the value that represents them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own, removed on drop; kept for inspection if `HEKTE_KEEP_SCRATCH` is set.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    lasting: bool,
}

impl Scratch {
    /// Makes `hekte-NAME-PID-N` in the system's temporary folder.
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("hekte-{name}-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&path); // an earlier process with this id may have left one
        fs::create_dir_all(&path).expect("the temporary folder is writable");
        Self { path, lasting: false }
    }

    /// A folder at the given path, created if needed, that is not removed.
    pub fn lasting(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        fs::create_dir_all(&path).expect("the folder can be made");
        Self { path, lasting: true }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside the folder.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.lasting {
            return;
        }
        if env::var_os("HEKTE_KEEP_SCRATCH").is_some() {
            eprintln!("kept {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
