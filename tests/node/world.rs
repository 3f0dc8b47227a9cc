//! A bitcoind with a made-up chain, `hekte` beside it, and the right answers to compare with.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use bitcoin::Block;
use bitcoin::consensus::encode::serialize_hex;
use hekte_testkit::bitcoind::{self, Bitcoind};
use hekte_testkit::chain::{ChainSpec, Generator};
use hekte_testkit::client::Client;
use hekte_testkit::hekte::{self, Finished, Hekte};
use hekte_testkit::maker::Maker;
use hekte_testkit::model::Model;
use hekte_testkit::scratch::Scratch;
use serde_json::json;

use crate::answers::same_answers;

pub const BINARY: &str = env!("CARGO_BIN_EXE_hekte");

/// How long anything may take before it counts as never.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Height of the chain that tests begin with.
pub const START: u32 = 250;

/// A node, its chain and how to go on with it, and a folder for hekte.
pub struct World {
    pub node: Bitcoind,
    pub maker: Maker,
    /// The chain that the node should have, genesis first.
    pub blocks: Vec<Block>,
    pub scratch: Scratch,
}

fn first_blocks() -> (Maker, Vec<Block>) {
    static MADE: OnceLock<(Maker, Vec<Block>)> = OnceLock::new();
    let make = || {
        let spec = ChainSpec { blocks: START, txs_per_block: 8, ..ChainSpec::default() };
        let mut generator = Generator::new(&spec);
        let blocks = generator.by_ref().map(|block| block.block).collect();
        (generator.into_maker(), blocks)
    };
    MADE.get_or_init(make).clone()
}

impl World {
    /// A node with [`START`] blocks; `None` where the test is to be skipped.
    pub fn new(test: &str) -> Option<World> {
        World::with(test, &[])
    }

    /// The same with arguments for bitcoind.
    pub fn with(test: &str, args: &[&str]) -> Option<World> {
        if !bitcoind::available(test) {
            return None;
        }
        let node = Bitcoind::start(args);
        let (maker, blocks) = first_blocks();
        for block in &blocks[1..] {
            node.submit(block);
        }
        let world = World { node, maker, blocks, scratch: Scratch::new("node") };
        assert_eq!(world.node.tip(), world.maker.tip());
        Some(world)
    }

    /// Arguments that make hekte use this node, with its index in `data`.
    pub fn args(&self, data: &str, extra: &[&str]) -> Vec<String> {
        self.node.hekte_args(&self.data(data), extra)
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// Starts hekte with its index in `data`; its port is open, the index may not be there yet.
    pub fn hekte(&self, data: &str, extra: &[&str]) -> Hekte {
        let args = self.args(data, extra);
        Hekte::start(BINARY, self.scratch.path(), &refs(&args))
    }

    /// Runs hekte to its end.
    pub fn run(&self, data: &str, extra: &[&str]) -> Finished {
        let args = self.args(data, extra);
        hekte::run(BINARY, self.scratch.path(), &refs(&args))
    }

    /// The digest of the first blocks of the index in `data`.
    pub fn digest(&self, data: &str, height: u32) -> String {
        let height = height.to_string();
        let done = self.run(data, &["digest", "--height", &height]);
        assert!(done.status.success(), "{}", done.stderr);
        done.stdout
    }

    /// Builds an index from nothing and compares its digest with that of the index in `data`.
    pub fn same_as_built_anew(&self, data: &str, height: u32, how: &[&str]) {
        let fresh = format!("fresh-{}", self.blocks.len());
        let _ = std::fs::remove_dir_all(self.data(&fresh));
        let done = self.run(&fresh, &[&["--sync-only"], how].concat());
        assert!(done.status.success(), "{}", done.stderr);
        assert_eq!(self.digest(data, height), self.digest(&fresh, height));
    }

    pub fn model(&self) -> Model {
        Model::new(&self.blocks)
    }

    pub fn height(&self) -> u32 {
        self.blocks.len() as u32 - 1
    }

    /// Makes the next block without handing it over.
    pub fn make(&mut self) -> Block {
        let block = self.maker.next_block().block;
        self.blocks.push(block.clone());
        block
    }

    /// Mines blocks on the tip.
    pub fn mine(&mut self, count: u32) {
        for _ in 0..count {
            let block = self.make();
            assert!(self.node.submit(&block), "height {}", self.height());
        }
    }

    /// Hands over the whole chain again, as peers would to a node that lost blocks.
    pub fn resubmit(&self) {
        self.blocks[1..].iter().for_each(|block| _ = self.node.submit(block));
        assert_eq!(self.node.tip(), self.maker.tip());
    }

    /// Forgets the newest blocks; the next ones made differ from them.
    pub fn rewind(&mut self, depth: u32) {
        let height = self.height() - depth;
        self.maker.rewind(height);
        self.blocks.truncate(height as usize + 1);
    }

    /// Replaces the newest `depth` blocks by a branch that is one block longer.
    pub fn reorg(&mut self, depth: u32) {
        self.rewind(depth);
        let branch: Vec<Block> = (0..=depth).map(|_| self.make()).collect();
        branch.iter().for_each(|block| _ = self.node.submit(block));
        assert_eq!(self.node.tip(), self.maker.tip());
    }

    /// Waits until hekte serves the tip of `blocks`; returns a connection.
    pub fn served(&self, hekte: &Hekte) -> Client {
        self.served_by(hekte, PATIENCE)
    }

    pub fn served_by(&self, hekte: &Hekte, patience: Duration) -> Client {
        let mut client = hekte.client();
        let wanted = serialize_hex(&self.blocks[self.blocks.len() - 1].header);
        let end = Instant::now() + patience;
        loop {
            let tip = client.call("blockchain.headers.subscribe", json!([]));
            let ready = client.call("server.ping", json!([])).is_ok();
            if ready && tip.as_ref().is_ok_and(|tip| tip["hex"] == wanted.as_str()) {
                // without that subscription
                return hekte.client();
            }
            let height = self.height();
            assert!(Instant::now() < end, "{tip:?}, not at {height}:\n{}", hekte.log());
            sleep(Duration::from_millis(20));
        }
    }

    /// False if some block is being looked for.
    pub fn right_or_looking(&self, hekte: &Hekte) -> bool {
        let mut client = self.served(hekte);
        let model = self.model();
        let newest = (0..=self.height()).rev().take(50).map(|height| {
            let txid = model.block_txids(height)[0].to_string();
            client.call("blockchain.transaction.get", json!([txid]))
        });
        newest.filter_map(Result::err).inspect(|e| assert_eq!(e["code"], -32603, "{e}")).count()
            == 0
    }

    /// Waits for the tip, then compares every answer.
    pub fn right(&self, hekte: &Hekte) {
        same_answers(&mut self.served(hekte), &self.model());
    }
}

pub fn refs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// Waits until something is so.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        sleep(Duration::from_millis(20));
    }
}
