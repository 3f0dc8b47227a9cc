//! The chains of the benchmarks: made once, then kept in the target folder.

use std::fs;
use std::path::PathBuf;

use hekte_testkit::chain::{ChainSpec, Generator, Shape};
use hekte_testkit::files::{BlockDir, FileOptions};

/// The key of `xor.dat`; every bitcoind since 28 has such a key.
const XOR: [u8; 8] = [0x9e, 0x37, 0x79, 0xb9, 0x7f, 0x4a, 0x7c, 0x15];

/// A chain, identified by its size.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Its name on the command line.
    pub name: &'static str,
    seed: u64,
    blocks: u32,
    txs_per_block: u32,
}

impl Size {
    /// About 50 000 transactions.
    pub const SMALL: Size = Size { name: "small", seed: 1, blocks: 200, txs_per_block: 500 };
    /// About 1.15 million transactions, 430 MB of blocks.
    pub const MIDDLE: Size = Size { name: "middle", seed: 1, blocks: 620, txs_per_block: 2250 };
    /// About 5 million transactions, 1.9 GB of blocks.
    pub const LARGE: Size = Size { name: "large", seed: 1, blocks: 2330, txs_per_block: 2250 };

    /// A million blocks of one or two transactions: as many headers as the main chain has.
    pub const LONG: Size = Size { name: "long", seed: 1, blocks: 1_000_000, txs_per_block: 1 };
    /// About 51 million transactions, 22 GB of blk and rev files: large enough that the index does
    /// not fit into any cache. Making it takes an hour of one core.
    pub const HUGE: Size = Size { name: "huge", seed: 9, blocks: 23_300, txs_per_block: 2250 };

    /// The chain with this name.
    pub fn named(name: &str) -> Option<Size> {
        let all = [Size::SMALL, Size::MIDDLE, Size::LARGE, Size::LONG, Size::HUGE];
        all.into_iter().find(|size| size.name == name)
    }

    /// bitcoind's folder for the chain.
    pub fn folder(self) -> PathBuf {
        crate::work_folder().join(self.name)
    }

    /// The folder of its block files.
    pub fn blocks_dir(self) -> PathBuf {
        self.folder().join("regtest/blocks")
    }

    /// Makes the chain unless it exists.
    pub fn make(self) {
        let (done, folder) = (self.folder().join("complete"), self.blocks_dir());
        if done.exists() {
            return;
        }
        eprintln!("making the {} chain in {}", self.name, folder.display());
        let _ = fs::remove_dir_all(self.folder());
        let spec = ChainSpec {
            seed: self.seed,
            blocks: self.blocks,
            txs_per_block: self.txs_per_block,
            shape: Shape::Bench,
            keep_undo: 16,
            ..ChainSpec::default()
        };
        let options = FileOptions { xor: Some(XOR), ..FileOptions::default() };
        let mut dir = BlockDir::create(&folder, options);
        for block in Generator::new(&spec) {
            dir.add(&block);
        }
        drop(dir);
        fs::write(done, b"").expect("the target folder can be written");
    }

    /// The bytes of its blk and rev files.
    pub fn bytes(self) -> u64 {
        let files = fs::read_dir(self.blocks_dir()).expect("the chain was made");
        files.flatten().filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum()
    }
}
