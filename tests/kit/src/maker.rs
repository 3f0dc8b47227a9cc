//! Extends and forks a chain, block by block.

use bitcoin::absolute::LockTime;
use bitcoin::{
    Amount, BlockHash, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness,
    transaction,
};

use crate::block::{self, Parts};
use crate::chain::{ChainSpec, GenBlock, Shape, SpentCoin};
use crate::keys::KeyRing;
use crate::recipe;
use crate::rng::Rng;
use crate::script::{self, Owner};
use crate::sign;
use crate::wallet::{Coin, Wallet};

/// Weight at which a block takes no more transactions; the limit is 4 000 000.
const FULL_WEIGHT: u64 = 3_800_000;
/// Weight up to which small transactions still fit beside a coinbase.
const TOP_WEIGHT: u64 = 3_990_000;
/// Cost of signature operations at which a block takes no more transactions; the limit is 80 000.
const FULL_SIGOPS: u64 = 60_000;

/// One output to make, either to an owner whose key we have (so it can be spent later) or to any
/// script.
#[derive(Clone, Debug)]
pub enum Pay {
    Owner(Owner, u64),
    Script(ScriptBuf, u64),
}

/// A chain under construction: the tip, the keys, and the coins that can be spent.
#[derive(Clone)]
pub struct Maker {
    pub spec: ChainSpec,
    pub ring: KeyRing,
    pub wallet: Wallet,
    pub rng: Rng,
    /// Hash and time of each block of the present chain, by height.
    chain: Vec<(BlockHash, u32)>,
    /// The next unused salt of an open script.
    pub(crate) salt: u64,
}

/// The transactions of a block while it is being filled.
#[derive(Default)]
pub(crate) struct Draft {
    pub txs: Vec<Transaction>,
    spent: Vec<Vec<SpentCoin>>,
    fees: u64,
    weight: u64,
    sigops: u64,
}

impl Draft {
    pub fn is_full(&self) -> bool {
        self.weight >= FULL_WEIGHT || self.sigops >= FULL_SIGOPS
    }

    pub fn is_topped_up(&self) -> bool {
        self.weight >= TOP_WEIGHT
    }
}

impl Maker {
    /// A chain that holds the regtest genesis block only.
    pub fn new(spec: &ChainSpec) -> Self {
        let genesis = GenBlock::genesis();
        Self {
            spec: spec.clone(),
            ring: KeyRing::new(spec.seed),
            wallet: Wallet::new(spec.keep_undo),
            rng: Rng::new(spec.seed),
            chain: vec![(genesis.hash(), spec.first_time)],
            salt: spec.seed << 40,
        }
    }

    /// Height of the tip.
    pub fn height(&self) -> u32 {
        self.chain.len() as u32 - 1
    }

    pub fn tip(&self) -> BlockHash {
        self.chain[self.chain.len() - 1].0
    }

    /// Takes blocks off until `height` is the tip. New blocks will differ from those taken off.
    pub fn rewind(&mut self, height: u32) {
        self.wallet.rewind(height);
        self.chain.truncate(height as usize + 1);
    }

    /// Mines a block with a random choice of transactions, in the number that the spec asks for.
    pub fn next_block(&mut self) -> GenBlock {
        let wanted = recipe::block_size(&self.spec, &mut self.rng);
        self.fill(|maker, draft| recipe::fill(maker, draft, wanted))
    }

    /// Mines a block of random transactions of very nearly 4 000 000 weight units. Panics if the
    /// wallet has too little.
    pub fn full_block(&mut self) -> GenBlock {
        self.fill(|maker, draft| {
            recipe::fill(maker, draft, u64::MAX);
            recipe::top_up(maker, draft);
        })
    }

    /// Mines a block that holds a coinbase only.
    pub fn empty_block(&mut self) -> GenBlock {
        self.fill(|_, _| ())
    }

    /// Mines a block with one transaction per list of payments, in order, each funded from the
    /// wallet. Panics if the wallet has too little.
    pub fn block_paying(&mut self, payments: Vec<Vec<Pay>>) -> GenBlock {
        self.fill(|maker, draft| {
            for pays in payments {
                let coins = maker.fund(&pays);
                maker.add_tx(draft, coins, pays);
            }
        })
    }

    /// A signed transaction for the mempool: spends `coins`, which are not marked as spent.
    pub fn loose_tx(&mut self, coins: &[Coin], pays: &[Pay]) -> Transaction {
        let mut tx = self.unsigned(coins, pays);
        sign::sign(&mut tx, coins, &mut self.ring, &mut self.rng);
        tx
    }

    /// Takes coins from the wallet until they cover the payments and 1000 satoshi of fee.
    fn fund(&mut self, pays: &[Pay]) -> Vec<Coin> {
        let need = 1000 + pays.iter().map(Pay::value).sum::<u64>();
        let (mut coins, mut have) = (Vec::new(), 0);
        while have < need {
            let coin = self.wallet.take(&mut self.rng).expect("the wallet has too little");
            have += coin.value;
            coins.push(coin);
        }
        coins
    }

    fn unsigned(&mut self, coins: &[Coin], pays: &[Pay]) -> Transaction {
        let sequence = Sequence::ENABLE_RBF_NO_LOCKTIME;
        let input = coins.iter().map(|coin| TxIn {
            previous_output: coin.outpoint,
            script_sig: ScriptBuf::new(),
            sequence,
            witness: Witness::new(),
        });
        let input = input.collect();
        let output = pays.iter().map(|pay| pay.output(&mut self.ring)).collect();
        let version = transaction::Version(1 + self.rng.below(2) as i32);
        Transaction { version, lock_time: LockTime::ZERO, input, output }
    }

    /// Signs a transaction, adds it to the block and its outputs to the wallet.
    pub(crate) fn add_tx(&mut self, draft: &mut Draft, coins: Vec<Coin>, pays: Vec<Pay>) {
        let mut tx = self.unsigned(&coins, &pays);
        sign::sign(&mut tx, &coins, &mut self.ring, &mut self.rng);
        let given: u64 = coins.iter().map(|c| c.value).sum();
        draft.fees += given - pays.iter().map(Pay::value).sum::<u64>();
        draft.weight += tx.weight().to_wu();
        draft.sigops += coins.iter().map(|c| c.owner.kind.input_sigops()).sum::<u64>();
        draft.sigops += pays.iter().map(Pay::sigops).sum::<u64>();
        self.collect(&tx, &pays, self.chain.len() as u32, false);
        let spent = coins.iter().map(|c| SpentCoin {
            output: c.output(&mut self.ring),
            height: c.height,
            coinbase: c.coinbase,
        });
        draft.spent.push(spent.collect());
        draft.txs.push(tx);
    }

    fn collect(&mut self, tx: &Transaction, pays: &[Pay], height: u32, coinbase: bool) {
        let txid = tx.compute_txid();
        for (vout, pay) in (0u32..).zip(pays) {
            if let Pay::Owner(owner, value) = *pay {
                let outpoint = OutPoint { txid, vout };
                self.wallet.add(Coin { outpoint, value, owner, height, coinbase });
            }
        }
    }

    fn fill(&mut self, with: impl FnOnce(&mut Self, &mut Draft)) -> GenBlock {
        let height = self.chain.len() as u32;
        self.wallet.begin(height);
        let mut draft = Draft::default();
        with(self, &mut draft);
        let (prev, before) = self.chain[self.chain.len() - 1];
        let step = if self.spec.shape == Shape::Bench { 600 } else { self.rng.range(1, 1200) };
        let time = before + step as u32;
        let pays = recipe::reward(self, block::subsidy(height) + draft.fees);
        let block = block::assemble(Parts {
            prev,
            height,
            time,
            extra: self.rng.word(),
            reward: pays.iter().map(|pay| pay.output(&mut self.ring)).collect(),
            txs: draft.txs,
            always_commit: self.rng.chance(3, 4),
        });
        self.collect(&block.txdata[0], &pays, height, true);
        self.chain.push((block.block_hash(), time));
        GenBlock { block, height, active: true, spent: draft.spent }
    }
}

impl Pay {
    /// The value of the output in satoshi.
    pub fn value(&self) -> u64 {
        match self {
            Pay::Owner(_, value) | Pay::Script(_, value) => *value,
        }
    }

    fn sigops(&self) -> u64 {
        match self {
            Pay::Owner(owner, _) => owner.kind.output_sigops(),
            // an estimate: a script of a few hundred random bytes may cost this much
            Pay::Script(..) => 500,
        }
    }

    fn output(&self, ring: &mut KeyRing) -> TxOut {
        let script_pubkey = match self {
            Pay::Owner(owner, _) => script::script_pubkey(ring, *owner),
            Pay::Script(script, _) => script.clone(),
        };
        TxOut { value: Amount::from_sat(self.value()), script_pubkey }
    }
}
