//! Where bitcoind keeps its files, found from whichever of its folders the operator named.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::network::Network;
use crate::error::{Error, Result};
use crate::host::access;

/// The two folders of a network that we need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The network's own folder: cookie, and mostly the blocks.
    pub network_dir: PathBuf,
    /// blk, rev and xor files.
    pub blocks_dir: PathBuf,
}

/// Finds both below or beside `dir`; where nothing is there yet, says where bitcoind would put
/// them. Never fails: what is missing or closed is for [`verify`] to say.
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
    dir.join("blk00000.dat").is_file()
        || lowest_block_file(dir).is_ok_and(|lowest| lowest.is_some())
}

/// Ok if `blocks_dir` holds the block files of this chain from the first on, and all kinds of them
/// are open to us.
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
    let lowest = lowest_block_file(blocks_dir).map_err(|e| access::explain(blocks_dir, &e))?;
    let shown = blocks_dir.display();
    match lowest {
        Some(0) => {}
        Some(lowest) => {
            return Err(Error::Unavailable(format!(
                "{shown} begins with blk{lowest:05}.dat: the node is pruned, and hekte needs \
                 every block -> set prune=0 in bitcoin.conf and restart bitcoind with -reindex, \
                 which downloads the chain again"
            )));
        }
        None => {
            return Err(Error::NoInput(format!(
                "{shown} holds no blk*.dat -> point bitcoin_dir at bitcoind's data folder \
                 (network is {network}), or start bitcoind once"
            )));
        }
    }
    for name in ["blk00000.dat", "rev00000.dat", "xor.dat"] {
        match access::readable(&blocks_dir.join(name)) {
            // a node at genesis has no undo data yet, an old one no key
            Err(Error::NoInput(_)) if name != "blk00000.dat" => {}
            outcome => outcome?,
        }
    }
    check_magic(blocks_dir, network, magic)
}

/// The number of the first block file that is there; `None` without any.
pub fn lowest_block_file(blocks_dir: &Path) -> io::Result<Option<u32>> {
    let mut lowest = None;
    for entry in fs::read_dir(blocks_dir)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("blk")?.strip_suffix(".dat"));
        if let Some(number) = number.and_then(|number| number.parse::<u32>().ok()) {
            lowest = Some(lowest.map_or(number, |lowest: u32| lowest.min(number)));
        }
    }
    Ok(lowest)
}

/// Files that begin with the magic of another known network are a wrong setting, not damage.
fn check_magic(blocks_dir: &Path, network: Network, magic: [u8; 4]) -> Result<()> {
    let stored = first_bytes(&blocks_dir.join("blk00000.dat"))?;
    let key = match first_bytes(&blocks_dir.join("xor.dat")) {
        Err(Error::NoInput(_)) => [0; 4],
        key => key?,
    };
    let found = std::array::from_fn(|i| stored[i] ^ key[i]);
    if found == magic || stored == [0; 4] {
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
        // a damaged start is for the scanner, which searches on
        None => Ok(()),
    }
}

/// The first four bytes of a file, zeros where it is shorter.
fn first_bytes(path: &Path) -> Result<[u8; 4]> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| access::explain(path, &error))?;
    file.take(4).read_to_end(&mut bytes).map_err(|error| access::explain(path, &error))?;
    bytes.resize(4, 0);
    Ok([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

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
        // nothing there yet: where it will be
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
