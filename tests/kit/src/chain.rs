//! Chains made from a seed: their specification, and the stream of their blocks.

use std::collections::{HashMap, VecDeque};

use bitcoin::{Block, BlockHash, Network, OutPoint, Transaction, TxOut};

use crate::maker::Maker;
use crate::rng::Rng;

/// The mix of transactions in a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Every kind of script and many odd cases; blocks of different sizes, some of them empty.
    Mixed,
    /// Cheap to make, with full blocks and transactions of real size (about 380 bytes).
    Bench,
}

/// A chain to generate; the same spec always gives the same blocks.
#[derive(Clone, Debug)]
pub struct ChainSpec {
    pub seed: u64,
    /// Height of the tip. The first 100 blocks hold only coinbases, until these mature.
    pub blocks: u32,
    /// Average number of transactions, coinbase not counted.
    pub txs_per_block: u32,
    /// Number of branches, of 1 to 3 blocks each, that do not win.
    pub stale_branches: u32,
    pub shape: Shape,
    /// Unix time of block 1.
    pub first_time: u32,
    /// The number of blocks that [`Maker::rewind`] can take off; a larger one takes more memory.
    pub keep_undo: usize,
}

impl Default for ChainSpec {
    fn default() -> Self {
        Self {
            seed: 1,
            blocks: 150,
            txs_per_block: 20,
            stale_branches: 0,
            shape: Shape::Mixed,
            first_time: 1_600_000_000,
            keep_undo: 4096,
        }
    }
}

/// An output that an input spends, as undo data describes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpentCoin {
    pub output: TxOut,
    /// The height of the block with the transaction that created it.
    pub height: u32,
    pub coinbase: bool,
}

/// A block with everything that bitcoind knows about it.
#[derive(Clone, Debug)]
pub struct GenBlock {
    pub block: Block,
    pub height: u32,
    /// Whether the block is on the chain that wins in the end.
    pub active: bool,
    /// The spent coins: for each transaction after the coinbase, for each of its inputs.
    pub spent: Vec<Vec<SpentCoin>>,
}

impl GenBlock {
    pub fn hash(&self) -> BlockHash {
        self.block.block_hash()
    }

    /// Regtest's block 0, which spends nothing and has no undo data.
    pub fn genesis() -> Self {
        let block = bitcoin::constants::genesis_block(Network::Regtest);
        Self { block, height: 0, active: true, spent: Vec::new() }
    }
}

/// A whole chain in memory, stale branches included.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The blocks in the order in which they would reach a node; the first is the genesis block.
    pub blocks: Vec<GenBlock>,
}

impl Chain {
    /// The winning chain by height, genesis first.
    pub fn active(&self) -> impl Iterator<Item = &GenBlock> {
        self.blocks.iter().filter(|b| b.active)
    }

    pub fn tip(&self) -> &GenBlock {
        self.active().last().expect("there is a genesis block")
    }
}

/// Generates a chain that fits in memory.
pub fn generate(spec: &ChainSpec) -> Chain {
    Chain { blocks: Generator::new(spec).collect() }
}

/// Turns blocks of a real chain, in height order from genesis, into the form of generated ones.
pub fn describe(blocks: impl IntoIterator<Item = Block>) -> Vec<GenBlock> {
    let mut coins: HashMap<OutPoint, SpentCoin> = HashMap::new();
    let mut out = Vec::new();
    for (height, block) in (0u32..).zip(blocks) {
        let mut spent = Vec::new();
        for tx in &block.txdata {
            let coinbase = tx.is_coinbase();
            if !coinbase {
                let mut lookup =
                    |outpoint: &OutPoint| coins.remove(outpoint).expect("blocks form a chain");
                spent.push(tx.input.iter().map(|i| lookup(&i.previous_output)).collect());
            }
            if height > 0 {
                add_outputs(&mut coins, tx, height, coinbase);
            }
        }
        out.push(GenBlock { block, height, active: true, spent });
    }
    out
}

fn add_outputs(
    coins: &mut HashMap<OutPoint, SpentCoin>,
    tx: &Transaction,
    height: u32,
    coinbase: bool,
) {
    let txid = tx.compute_txid();
    for (vout, output) in (0u32..).zip(&tx.output) {
        let coin = SpentCoin { output: output.clone(), height, coinbase };
        coins.insert(OutPoint { txid, vout }, coin);
    }
}

/// Streams a chain's blocks in the order of arrival, genesis first, in bounded memory.
pub struct Generator {
    maker: Maker,
    rng: Rng,
    end: u32,
    /// Heights at which branches begin, ascending.
    branches: VecDeque<u32>,
    queue: VecDeque<GenBlock>,
    /// A branch that is emitted only when the winning chain is higher, so that no node ever
    /// connects it.
    late: Vec<GenBlock>,
}

impl Generator {
    pub fn new(spec: &ChainSpec) -> Self {
        let mut rng = Rng::new(spec.seed ^ 0x5741_1e00);
        let mut branches = Vec::new();
        let first = if spec.blocks > 130 { 105 } else { 2 };
        for _ in 0..spec.stale_branches {
            if spec.blocks > first + 8 {
                branches.push(rng.range(u64::from(first), u64::from(spec.blocks - 4)) as u32);
            }
        }
        branches.sort_unstable();
        let queue = VecDeque::from([GenBlock::genesis()]);
        let branches = branches.into();
        Self { maker: Maker::new(spec), rng, end: spec.blocks, branches, queue, late: Vec::new() }
    }

    /// The state at the tip, for making further blocks by hand.
    pub fn into_maker(self) -> Maker {
        self.maker
    }

    fn branch(&mut self) {
        let length = self.rng.range(1, 3) as u32;
        let fork = self.maker.height();
        let mut blocks: Vec<GenBlock> = (0..length).map(|_| self.maker.next_block()).collect();
        self.maker.rewind(fork);
        blocks.iter_mut().for_each(|b| b.active = false);
        if self.late.is_empty() && self.rng.chance(1, 2) {
            self.late = blocks;
        } else {
            self.queue.extend(blocks);
        }
    }
}

impl Iterator for Generator {
    type Item = GenBlock;

    fn next(&mut self) -> Option<GenBlock> {
        if self.queue.is_empty() {
            let height = self.maker.height();
            if height >= self.end {
                return None;
            }
            while self.branches.front().is_some_and(|b| *b <= height + 1) {
                self.branches.pop_front();
                self.branch();
            }
            let block = self.maker.next_block();
            if self.late.last().is_some_and(|b| b.height <= block.height) {
                let late = std::mem::take(&mut self.late);
                self.queue.push_back(block);
                self.queue.extend(late);
            } else {
                self.queue.push_back(block);
            }
        }
        self.queue.pop_front()
    }
}
