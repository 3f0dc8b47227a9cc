//! Findings about bitcoind's files: whether they exist, are complete, and are ours to read.

use std::fs;
use std::io;
use std::path::Path;

use super::findings::Findings;
use crate::blockfile::dir::{Kind, file_name, list_files};
use crate::blockfile::xor::{KEY_BYTES, KEY_FILE, StoredKey};
use crate::config::{Config, layout, units};
use crate::error::{Error, Result};
use crate::host::disk::{self, Storage};
use crate::host::{access, acl};

/// Checks the folders and files. Returns the sum of blk and rev files in bytes, if they can be
/// listed.
pub fn look(config: &Config, magic: [u8; 4], findings: &mut Findings) -> Option<u64> {
    bitcoin_dir(config, findings);
    let dir = &config.blocks_dir;
    if let Err(error) = layout::verify(dir, config.network, magic) {
        findings.error("blocks", &error);
        return block_files(dir).ok().map(|files| files.bytes);
    }
    let files = match block_files(dir) {
        Ok(files) => files,
        Err(error) => {
            findings.error("blocks", &access::explain(dir, &error));
            return None;
        }
    };
    let kind = match disk::storage(dir) {
        Storage::Rotating => " on a rotating disk",
        Storage::SolidState => " on an SSD",
        Storage::Card => " on an SD card or eMMC",
        Storage::Unknown => "",
    };
    let size = units::show_size(files.bytes);
    let shown = dir.display();
    findings.ok("blocks", format!("{shown}: {} files, {size}{kind}", files.count));
    let newest = [files.newest_blk.as_deref(), files.newest_rev.as_deref()];
    let mut newest = newest.into_iter().flatten().map(|name| access::readable(&dir.join(name)));
    match newest.find_map(Result::err) {
        Some(error) => findings.error("newest files", &error),
        None => {
            let name = files.newest_blk.as_deref().unwrap_or_default();
            findings.ok("newest files", format!("{name} and its undo data can be read"));
            new_files(dir, findings);
        }
    }
    match key(dir) {
        Ok(text) => findings.ok("xor key", text),
        Err(error) => findings.error("xor key", &error),
    }
    Some(files.bytes)
}

/// Checks whether we will be able to read the next file, too: bitcoind creates it for its own user,
/// even if all present files are open to us.
fn new_files(dir: &Path, findings: &mut Findings) {
    match acl::new_files_readable(dir) {
        Some(true) => findings.ok("new files", "can be read when bitcoind makes them"),
        Some(false) => {
            let text = format!(
                "bitcoind will make them for its own user alone -> as root: {}",
                access::opening(dir)
            );
            findings.warning("new files", text);
        }
        None => {}
    }
}

fn bitcoin_dir(config: &Config, findings: &mut Findings) {
    let dir = &config.network_dir;
    match fs::metadata(dir) {
        Ok(_) => findings.ok("bitcoin dir", dir.display().to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = format!(
                "{} does not exist -> set bitcoin_dir to bitcoind's data folder",
                dir.display()
            );
            findings.error("bitcoin dir", &Error::NoInput(text));
        }
        // only the cookie and the blocks are needed, and the findings about each say how to open
        // it; the rest of this folder, wallets included, should stay closed
        Err(_) => findings.warning(
            "bitcoin dir",
            format!("{} is closed to us ({})", dir.display(), access::owner_and_mode(dir)),
        ),
    }
}

/// The files in the blocks folder.
#[derive(Default)]
struct BlockFiles {
    count: u32,
    bytes: u64,
    newest_blk: Option<String>,
    newest_rev: Option<String>,
}

fn block_files(dir: &Path) -> io::Result<BlockFiles> {
    let mut files = BlockFiles::default();
    let blk = add_files(&mut files, dir, Kind::Block)?;
    let rev = add_files(&mut files, dir, Kind::Undo)?;
    (files.newest_blk, files.newest_rev) = (blk, rev);
    Ok(files)
}

/// Counts the files of a kind, and returns the name of the newest.
fn add_files(files: &mut BlockFiles, dir: &Path, kind: Kind) -> io::Result<Option<String>> {
    let mut newest = None;
    for number in list_files(dir, kind)? {
        let name = file_name(kind, number);
        files.count += 1;
        files.bytes += fs::metadata(dir.join(&name)).map_or(0, |facts| facts.len());
        newest = Some(name);
    }
    Ok(newest)
}

/// The state of the xor key, without showing the key.
fn key(blocks: &Path) -> Result<String> {
    match StoredKey::read(blocks)? {
        StoredKey::WrongLength(bytes) => Err(Error::Data(format!(
            "{} has {bytes} bytes instead of {KEY_BYTES} -> bitcoind does not start with it \
             either; restore it, or make bitcoind download the chain again",
            blocks.join(KEY_FILE).display()
        ))),
        StoredKey::Key(key) if key.is_none() => Ok("all zero, files are plain".into()),
        StoredKey::Key(_) => Ok("in use".into()),
        StoredKey::Absent => Ok("none, files are plain (made before Bitcoin Core 28)".into()),
    }
}
