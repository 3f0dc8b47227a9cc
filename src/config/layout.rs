//! Where bitcoind keeps its files, found from whichever of its folders the operator named.

use std::path::{Path, PathBuf};

use super::network::Network;
use crate::blockfile::dir::{BlockDir, FileNum, Kind, Raw, file_name, list_files};
use crate::blockfile::xor::KEY_FILE;
use crate::error::{Error, Result};
use crate::host::access;

/// The two folders of a network that hekte reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The network's own folder: it holds the cookie, and usually the blocks folder.
    pub network_dir: PathBuf,
    /// The folder of the blk, rev and xor files.
    pub blocks_dir: PathBuf,
}

/// Finds both folders below or beside `dir`; if they do not exist yet, returns where bitcoind would
/// make them. Never fails: [`verify`] reports folders that are missing or closed.
pub fn find(dir: &Path, network: Network) -> Layout {
    let below = match network.folder() {
        Some(folder) => dir.join(folder),
        None => dir.to_path_buf(),
    };
    let in_network_dir =
        |dir: &Path| Layout { network_dir: dir.into(), blocks_dir: dir.join("blocks") };
    if has_block_files(dir) {
        let network_dir = dir.parent().unwrap_or(dir).to_path_buf();
        return Layout { network_dir, blocks_dir: dir.to_path_buf() };
    }
    let named_like_network = dir.file_name().is_some_and(|name| Some(name) == folder_of(network));
    let candidates = if named_like_network { [dir, &below] } else { [&below, dir] };
    for candidate in candidates {
        if candidate.join("blocks").is_dir() {
            return in_network_dir(candidate);
        }
    }
    // with -blocksdir, the network's folder holds blocks/, but an operator may name any of them
    if has_block_files(&below) {
        return Layout { network_dir: below.clone(), blocks_dir: below };
    }
    in_network_dir(if named_like_network { dir } else { &below })
}

fn folder_of(network: Network) -> Option<&'static std::ffi::OsStr> {
    network.folder().map(std::ffi::OsStr::new)
}

fn has_block_files(dir: &Path) -> bool {
    let first = file_name(Kind::Block, FileNum(0));
    dir.join(first).is_file() || list_files(dir, Kind::Block).is_ok_and(|files| !files.is_empty())
}

/// Ok if `blocks_dir` holds the block files of this chain from the first on, and we may read files
/// of each kind.
///
/// Errors: `NoInput` without files, `Unavailable` for a pruned node, `NoPermission` with the
/// remedies, `Config` when the files are of another network.
pub fn verify(blocks_dir: &Path, network: Network, magic: [u8; 4]) -> Result<()> {
    access::readable(blocks_dir).map_err(|error| match error {
        Error::NoInput(text) => Error::NoInput(format!(
            "{text} -> point bitcoin_dir at bitcoind's data folder (network is {network}), or \
             start bitcoind once so that it makes the folder"
        )),
        other => other,
    })?;
    let files = list_files(blocks_dir, Kind::Block);
    let files = files.map_err(|error| access::explain(blocks_dir, &error))?;
    let shown = blocks_dir.display();
    match files.first() {
        Some(FileNum(0)) => {}
        Some(lowest) => {
            return Err(Error::Unavailable(format!(
                "{shown} begins with {}: the node is pruned, and hekte needs every block -> set \
                 prune=0 in bitcoin.conf and restart bitcoind with -reindex, which downloads the \
                 chain again",
                file_name(Kind::Block, *lowest)
            )));
        }
        None => {
            return Err(Error::NoInput(format!(
                "{shown} holds no blk*.dat -> point bitcoin_dir at bitcoind's data folder \
                 (network is {network}), or start bitcoind once"
            )));
        }
    }
    let [blk, rev] = [Kind::Block, Kind::Undo].map(|kind| file_name(kind, FileNum(0)));
    access::readable(&blocks_dir.join(blk))?;
    for name in [&rev, KEY_FILE] {
        match access::readable(&blocks_dir.join(name)) {
            // a node at genesis has no undo data yet, and an old one has no xor key
            Err(Error::NoInput(_)) => {}
            outcome => outcome?,
        }
    }
    check_magic(blocks_dir, network, magic)
}

/// Refuses files that begin with the magic of another known network: that is a wrong setting, not
/// damage.
fn check_magic(blocks_dir: &Path, network: Network, magic: [u8; 4]) -> Result<()> {
    let blocks = match BlockDir::open(blocks_dir) {
        // a damaged xor key is reported when blocks are read with it
        Err(Error::Data(_)) => return Ok(()),
        opened => opened?,
    };
    let mut found = [0; 4];
    blocks.read(Kind::Block, FileNum(0), 0, &mut found, Raw::Yes)?;
    // zeros are preallocated space: bitcoind applies its xor key only to what it writes
    if found == [0; 4] {
        return Ok(());
    }
    blocks.key().apply(&mut found, 0);
    if found == magic {
        return Ok(());
    }
    let other = Network::ALL.into_iter().find(|other| other.magic() == found);
    let shown = blocks_dir.display();
    match other {
        Some(other) => Err(Error::Config(format!(
            "{shown} holds blocks of {other}, but network is {network} -> set network = \
             \"{other}\", or another bitcoin_dir"
        ))),
        None if network == Network::Signet => Err(Error::Config(format!(
            "{shown} holds blocks of another signet -> set signet_challenge as in bitcoin.conf"
        ))),
        // a damaged start is left to the scanner, which searches on for a record
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::fs;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Scratch {
            let dir = std::env::temp_dir().join(format!("hekte-{name}-{}", std::process::id()));
            fs::create_dir_all(&dir).unwrap();
            Scratch(dir)
        }

        fn blocks(&self, folder: &str, magic: [u8; 4], key: [u8; 4]) -> PathBuf {
            let dir = self.0.join(folder);
            fs::create_dir_all(&dir).unwrap();
            let stored: Vec<u8> = (0..4).map(|i| magic[i] ^ key[i]).collect();
            fs::write(dir.join("blk00000.dat"), stored).unwrap();
            fs::write(dir.join("xor.dat"), [key, key].concat()).unwrap();
            dir
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn any_of_the_folders_will_do() {
        let scratch = Scratch::new("layout");
        let main = scratch.blocks("blocks", Network::Bitcoin.magic(), [0; 4]);
        let signet = scratch.blocks("signet/blocks", Network::Signet.magic(), [1, 2, 3, 4]);
        let root = &scratch.0;
        for dir in [root.clone(), main.clone()] {
            let found = find(&dir, Network::Bitcoin);
            assert_eq!((found.network_dir, &found.blocks_dir), (root.clone(), &main));
        }
        for dir in [root.clone(), root.join("signet"), signet.clone()] {
            let found = find(&dir, Network::Signet);
            assert_eq!((found.network_dir, &found.blocks_dir), (root.join("signet"), &signet));
        }
        verify(&main, Network::Bitcoin, Network::Bitcoin.magic()).unwrap();
        verify(&signet, Network::Signet, Network::Signet.magic()).unwrap();
        // with no folder there yet: the one that bitcoind would make
        let absent = find(Path::new("/nonexistent"), Network::Regtest);
        assert_eq!(absent.blocks_dir, Path::new("/nonexistent/regtest/blocks"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let scratch = Scratch::new("verify");
        let says = |dir: &Path, network: Network, code, part: &str| {
            let error = verify(dir, network, network.magic()).unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.to_string().contains(part), "{error}");
        };
        let blocks = scratch.blocks("blocks", Network::Regtest.magic(), [7; 4]);
        says(&blocks, Network::Bitcoin, 78, "network = \"regtest\"");
        says(&scratch.0.join("absent"), Network::Bitcoin, 66, "does not exist");
        says(&scratch.0, Network::Bitcoin, 66, "no blk*.dat");
        fs::rename(blocks.join("blk00000.dat"), blocks.join("blk00123.dat")).unwrap();
        says(&blocks, Network::Regtest, 69, "begins with blk00123.dat");
        let custom = scratch.blocks("custom", [1, 2, 3, 4], [0; 4]);
        says(&custom, Network::Signet, 78, "signet_challenge");
        verify(&custom, Network::Signet, [1, 2, 3, 4]).unwrap();
    }
}
