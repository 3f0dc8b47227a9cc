//! The texts that the house rules are about.

use std::fs;
use std::path::{Path, PathBuf};

/// What is under our care; anything else below the root is data or made by a tool.
const FOLDERS: [&str; 11] =
    ["src", "tests", "benches", "docs", "demo", "systemd", "cross", "deb", "image", "tools", ".ci"];

/// A text of ours: its path from the root, and what is in it.
pub struct Text {
    /// From the root of the checkout.
    pub path: String,
    /// All of it.
    pub content: String,
}

impl Text {
    pub fn is(&self, suffix: &str) -> bool {
        self.path.ends_with(suffix)
    }

    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.content.lines())
    }
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &Path) -> Option<Text> {
    let content = fs::read_to_string(path).ok()?;
    let path = path.strip_prefix(root()).ok()?.display().to_string();
    Some(Text { path, content })
}

fn walk(folder: &Path, texts: &mut Vec<Text>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        match path.is_dir() {
            true => walk(&path, texts),
            false => texts.extend(read(&path)),
        }
    }
}

/// All texts of ours, golden transcripts left out.
pub fn texts() -> Vec<Text> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(root()).into_iter().flatten().flatten() {
        if entry.path().is_file() && entry.file_name() != "Cargo.lock" {
            texts.extend(read(&entry.path()));
        }
    }
    for folder in FOLDERS {
        walk(&root().join(folder), &mut texts);
    }
    texts.retain(|text| !text.path.contains("/golden/") && !text.is(".txt"));
    texts.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(texts.len() > 100, "the walk found {} files only", texts.len());
    texts
}

pub fn sources() -> impl Iterator<Item = Text> {
    texts().into_iter().filter(|text| text.is(".rs"))
}

/// `src/query/view.rs` is of module `query`, `src/daemon.rs` of `daemon`; none outside of `src/`.
pub fn module(path: &str) -> Option<&str> {
    let inner = path.strip_prefix("src/")?;
    let name = inner.split('/').next()?;
    Some(name.strip_suffix(".rs").unwrap_or(name))
}

/// Code without comments; strings stay.
pub fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}
