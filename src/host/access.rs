//! Whether we may read bitcoind's files, and the error text for the operator when we may not.
//!
//! bitcoind sets umask 0077 for itself, so its block files are 0600 in 0700 folders unless a
//! default ACL on the folder says otherwise (`SetupEnvironment` in Bitcoin Core's
//! `src/common/system.cpp`).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, Gid, Group, Uid, User, eaccess};

use crate::error::{Error, Result};

/// Ok if `path` (file or folder) can be read by us now.
///
/// Errors: `NoInput` when it does not exist, `NoPermission` with who owns it and the two remedies
/// when it is closed to us, `Io` for the rest.
pub fn readable(path: &Path) -> Result<()> {
    let folder = fs::metadata(path).is_ok_and(|facts| facts.is_dir());
    let outcome = if folder {
        eaccess(path, AccessFlags::R_OK | AccessFlags::X_OK).map_err(io::Error::from)
    } else {
        fs::File::open(path).map(drop)
    };
    outcome.map_err(|error| explain(path, &error))
}

/// The error for a read of one of bitcoind's files that failed with `error`.
pub fn explain(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => no_permission(path),
        io::ErrorKind::NotFound => Error::NoInput(format!("{} does not exist", path.display())),
        _ => Error::Io(format!("cannot read {}: {error}", path.display())),
    }
}

/// Ok if we can create files in `folder`, or create `folder` itself.
///
/// Errors: `NoPermission` with owner and mode; `NoInput` if a file is where a folder should be.
pub fn writable(folder: &Path) -> Result<()> {
    let mut nearest = folder;
    while !nearest.exists() {
        match nearest.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => nearest = parent,
            _ => break,
        }
    }
    if nearest.is_file() {
        let shown = nearest.display();
        return Err(Error::NoInput(format!("{shown} is a file -> choose another folder")));
    }
    if eaccess(nearest, AccessFlags::W_OK | AccessFlags::X_OK).is_ok() {
        return Ok(());
    }
    Err(Error::NoPermission(format!(
        "cannot write to {} ({}), and we are {us} -> choose another data_dir, or as root: \
         install -d -o {us} -m 0750 {}",
        nearest.display(),
        owner_and_mode(nearest),
        folder.display(),
        us = our_user(),
    )))
}

/// The owner and mode of a file, following links, as "owner:group, mode 0600". If the file is
/// hidden or absent, those of the nearest folder above it that we can see.
pub fn owner_and_mode(path: &Path) -> String {
    let Ok(facts) = fs::metadata(path) else {
        return match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) if fs::metadata(parent).is_ok() => {
                format!("in {}, {}", parent.display(), owner_and_mode(parent))
            }
            Some(parent) => owner_and_mode(parent),
            None => "owner unknown".into(),
        };
    };
    let group = Group::from_gid(Gid::from_raw(facts.gid())).ok().flatten();
    let group = group.map_or_else(|| facts.gid().to_string(), |group| group.name);
    format!("{}:{group}, mode {:04o}", user_name(facts.uid()), facts.mode() & 0o7777)
}

/// The name of the user that we run as, or its number where it has none.
pub fn our_user() -> String {
    user_name(Uid::effective().as_raw())
}

/// Whether we may write to `path`, a file or folder that is there.
pub fn may_write(path: &Path) -> bool {
    eaccess(path, AccessFlags::W_OK).is_ok()
}

/// True if we run as root.
pub fn we_are_root() -> bool {
    Uid::effective().is_root()
}

fn user_name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// The error for a closed `path`. It names the outermost folder that is closed, since what lies
/// below it cannot even be seen.
fn no_permission(path: &Path) -> Error {
    let closed = closed_parents(path);
    let (subject, owner) = match closed.first() {
        Some(parent) => (parent.clone(), fs::metadata(parent).map(|facts| facts.uid()).ok()),
        None => (path.to_path_buf(), fs::metadata(path).map(|facts| facts.uid()).ok()),
    };
    let owner = owner.map_or_else(|| "its owner".into(), user_name);
    Error::NoPermission(words(path, &subject, &owner, &our_user(), &closed))
}

/// Folders above `path` that we may not pass through, outermost first.
fn closed_parents(path: &Path) -> Vec<PathBuf> {
    let mut parents: Vec<&Path> = path.ancestors().skip(1).collect();
    parents.reverse();
    let closed = |folder: &&Path| eaccess(*folder, AccessFlags::X_OK) == Err(nix::Error::EACCES);
    parents
        .into_iter()
        .filter(|p| !p.as_os_str().is_empty())
        .filter(closed)
        .map(Into::into)
        .collect()
}

/// The text that says what is wrong, with both remedies.
fn words(path: &Path, subject: &Path, owner: &str, us: &str, closed: &[PathBuf]) -> String {
    // the ACL belongs on the folder that holds the block files, so that new files inherit it
    let folder = match path.extension() {
        Some(kind) if kind == "dat" => path.parent().unwrap_or(path),
        _ => path,
    };
    let mut remedy = opening_for(us, folder);
    for parent in closed.iter().filter(|parent| parent.as_path() != folder) {
        remedy.push_str(&format!("; setfacl -m u:{us}:x {}", quoted(parent)));
    }
    format!(
        "cannot read {}: {} is {}, and we are {us} -> run hekte as user {owner}, or as root: \
         {remedy}",
        path.display(),
        if subject == path { "it".into() } else { subject.display().to_string() },
        owner_and_mode(subject),
    )
}

/// The command that lets us read a folder and the files in it, present and future.
pub fn opening(folder: &Path) -> String {
    opening_for(&our_user(), folder)
}

fn opening_for(us: &str, folder: &Path) -> String {
    format!("setfacl -R -m u:{us}:rX,d:u:{us}:rX {}", quoted(folder))
}

/// The path, quoted for a shell where needed.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_words_name_user_and_both_remedies() {
        let blk = Path::new("/srv/bitcoin/blocks/blk00000.dat");
        let closed = [PathBuf::from("/srv/bitcoin"), PathBuf::from("/srv/bitcoin/blocks")];
        let text = words(blk, &closed[0], "bitcoin", "hekte", &closed);
        assert!(text.contains("run hekte as user bitcoin"), "{text}");
        let acl = "setfacl -R -m u:hekte:rX,d:u:hekte:rX /srv/bitcoin/blocks; \
                   setfacl -m u:hekte:x /srv/bitcoin";
        assert!(text.ends_with(acl), "{text}");
    }

    #[test]
    fn odd_paths_survive_a_shell() {
        assert_eq!(quoted(Path::new("/mnt/my disk")), "'/mnt/my disk'");
        assert_eq!(quoted(Path::new("/mnt/it's")), r"'/mnt/it'\''s'");
    }

    #[test]
    fn absent_files_are_absent_not_closed() {
        let error = readable(Path::new("/nonexistent/blk00000.dat")).unwrap_err();
        assert!(matches!(error, Error::NoInput(_)), "{error}");
        assert!(writable(&std::env::temp_dir().join("new/deep")).is_ok());
        assert!(matches!(writable(Path::new("/proc/version/x")).unwrap_err(), Error::NoInput(_)));
    }
}
