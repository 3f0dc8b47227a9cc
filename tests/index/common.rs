//! An index over a folder of block files, built, checked and served without the program.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, Network};
use hekte::blockfile::dir::BlockDir;
use hekte::chain::params::ChainParams;
use hekte::error::Result;
use hekte::host::stop::StopToken;
use hekte::ids::Height;
use hekte::inspect::digest::{IndexDigest, digest};
use hekte::inspect::verify::{Verdict, verify};
use hekte::limits::MERGE_SLICE_BYTES;
use hekte::live::progress::Progress;
use hekte::live::served;
use hekte::parse::tx::header;
use hekte::query::engine::{Costs, Engine};
use hekte::query::view::Views;
use hekte::store::folder::INDEX_FILE;
use hekte::store::open::{Db, Mode};
use hekte::sync::blocks::load::{BlockLoader, Load, LoadBuffers};
use hekte::sync::blocks::scan::scan_all;
use hekte::sync::build::build::{Build, Outcome};
use hekte::sync::build::pace::DiskPace;
use hekte::sync::build::plan::Plan;
use hekte::sync::served::index::ServedIndex;
use hekte::sync::served::settings::UpkeepSettings;
use hekte_testkit::files::xor;
use hekte_testkit::scratch::Scratch;

/// A batch size that puts everything into one batch.
pub const ONE_BATCH: usize = 1 << 20;

/// A folder for databases, with the parameters and the loader of a network's block files.
pub struct Index {
    pub scratch: Scratch,
    /// The folder of the databases, if it is not `scratch`.
    pub elsewhere: Option<PathBuf>,
    /// Bytes that the merge at the end of a build writes in one transaction.
    pub slice_bytes: u64,
    pub params: ChainParams,
    pub loader: Arc<BlockLoader>,
}

/// An index that is open for questions.
pub struct Served {
    pub live: ServedIndex,
    pub engine: Engine,
    pub shared: Arc<served::Served>,
}

impl Index {
    /// An index without databases yet, over the block files in `blocks`.
    pub fn over(blocks: &Path, network: Network) -> Index {
        let params = ChainParams::of(network);
        let dir = Arc::new(BlockDir::open(blocks).unwrap());
        let loader = Arc::new(BlockLoader::new(dir, &params));
        Index {
            scratch: Scratch::new("index"),
            elsewhere: None,
            slice_bytes: MERGE_SLICE_BYTES,
            params,
            loader,
        }
    }

    /// Puts the databases into a folder that outlives this value.
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Index {
        Index { elsewhere: Some(folder.into()), ..self }
    }

    pub fn folder(&self) -> &Path {
        self.elsewhere.as_deref().unwrap_or(self.scratch.path())
    }

    pub fn path(&self) -> PathBuf {
        self.folder().join(INDEX_FILE)
    }

    /// The plan made from the files alone.
    pub fn plan(&self) -> Result<Plan> {
        let tree = scan_all(&self.loader, &Progress::default())?;
        Plan::by_files(tree, &self.loader)
    }

    /// Builds along a plan; with `stop`, only the next block.
    pub fn run(&self, plan: &Plan, batch_postings: usize, stop: bool) -> Result<Outcome> {
        let progress = Progress::default();
        let token = StopToken::default();
        if stop {
            token.request();
        }
        Build { stop: token, ..self.a_build(plan, batch_postings, &progress) }.run()
    }

    /// A build along a plan, for the caller to change and run.
    pub fn a_build<'a>(
        &'a self,
        plan: &'a Plan,
        batch_postings: usize,
        progress: &'a Progress,
    ) -> Build<'a> {
        Build {
            memory_bytes: 256 << 20,
            folder: self.folder(),
            loader: &self.loader,
            plan,
            batch_bytes: batch_postings * 8,
            pace: DiskPace { spare_bytes: None, slice_bytes: self.slice_bytes, threads: 2 },
            progress,
            stop: StopToken::default(),
        }
    }

    /// Builds to the end of the chain in the files.
    pub fn build(&self, batch_postings: usize) -> Result<Outcome> {
        self.run(&self.plan()?, batch_postings, false)
    }

    /// Builds, and panics if that does not complete.
    pub fn built(self, batch_postings: usize) -> Index {
        let outcome = self.build(batch_postings).unwrap();
        assert!(matches!(outcome, Outcome::Complete(_)), "{outcome:?}");
        self
    }

    pub fn db(&self, mode: Mode) -> Db {
        Db::open(&self.path(), &self.params, mode).unwrap()
    }

    pub fn digest(&self) -> IndexDigest {
        digest(&self.db(Mode::Read), None).unwrap()
    }

    pub fn verify(&self) -> Verdict {
        verify(&self.db(Mode::Read), &self.params)
    }

    /// Opens the index for questions; nothing is served before `live.publish()`.
    pub fn open(&self) -> Result<Served> {
        self.open_with(UpkeepSettings::default())
    }

    /// Opens the index for questions with these limits.
    pub fn open_with(&self, settings: UpkeepSettings) -> Result<Served> {
        let shared = Arc::new(served::Served::default());
        let live = ServedIndex::open(self.folder(), &self.params, shared.clone(), settings)?;
        let dir = self.loader.dir().clone();
        let views = Views::new(self.path(), self.params, dir, shared.clone(), 1 << 20);
        let costs = Costs {
            max_history: 100_000,
            query_time: Duration::from_secs(60),
            summary_bytes: 1 << 20,
        };
        Ok(Served { live, engine: Engine::new(views, costs, Arc::default(), None), shared })
    }

    /// Opens and serves the index.
    pub fn serve(&self) -> Served {
        let mut served = self.open().unwrap();
        served.live.publish();
        served
    }

    /// Connects blocks to a served index, in memory, as if they came from the node.
    pub fn connect(&self, live: &mut ServedIndex, plan: &Plan, heights: std::ops::Range<u32>) {
        let mut buffers = LoadBuffers::default();
        for height in heights {
            let copies = plan.copies(Height(height)).unwrap();
            let load = self.loader.load(&copies, &mut buffers).unwrap();
            let Load::Block(block) = load else { panic!("block {height}: {load:?}") };
            let hash = header::hash(&block.rows.header);
            live.connect(*block, hash);
        }
    }
}

/// The longest chain in a folder of block files, found naively: every magic is tried as a record.
pub fn chain_in(blocks: &Path, magic: [u8; 4]) -> Vec<Block> {
    let key = fs::read(blocks.join("xor.dat")).ok().map(|key| key.try_into().unwrap());
    let mut found: HashMap<BlockHash, Block> = HashMap::new();
    for number in 0.. {
        let Ok(mut bytes) = fs::read(blocks.join(format!("blk{number:05}.dat"))) else { break };
        xor(&mut bytes, key, 0);
        found.extend(blocks_of(&bytes, magic).into_iter().map(|b| (b.block_hash(), b)));
    }
    longest(found)
}

/// Every block in the bytes of a file.
pub fn blocks_of(bytes: &[u8], magic: [u8; 4]) -> Vec<Block> {
    let (mut at, mut out) = (0, Vec::new());
    while at + 8 < bytes.len() {
        let len = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        let record = bytes.get(at + 8..at + 8 + len).filter(|_| bytes[at..at + 4] == magic);
        match record.map(deserialize::<Block>) {
            Some(Ok(block)) => {
                out.push(block);
                at += 8 + len;
            }
            _ => at += 1,
        }
    }
    out
}

/// The chain from genesis to the block with the greatest height.
pub fn longest(mut found: HashMap<BlockHash, Block>) -> Vec<Block> {
    let mut heights: HashMap<BlockHash, u32> = HashMap::new();
    for start in found.keys() {
        let (mut path, mut at) = (Vec::new(), *start);
        let base = loop {
            match (heights.get(&at), found.get(&at)) {
                (Some(height), _) => break Some(*height),
                (None, None) => break (at == BlockHash::all_zeros()).then_some(0),
                (None, Some(block)) => {
                    path.push(at);
                    at = block.header.prev_blockhash;
                }
            }
        };
        let Some(base) = base else { continue };
        heights.extend(path.iter().rev().copied().zip(base + 1..));
    }
    let (mut at, _) = heights.iter().max_by_key(|(_, height)| **height).unwrap();
    let mut chain = Vec::new();
    while let Some(block) = found.remove(at) {
        let previous = block.header.prev_blockhash;
        chain.push(block);
        match heights.get_key_value(&previous) {
            Some((key, _)) => at = key,
            None => break,
        }
    }
    chain.reverse();
    chain
}

/// Copies a folder of files.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        fs::copy(entry.path(), &target).unwrap();
        let mut permissions = fs::metadata(&target).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
        fs::set_permissions(&target, permissions).unwrap();
    }
}
