//! The coins that a generated chain may spend, with the way back when blocks are taken off again.

use std::collections::VecDeque;

use bitcoin::{Amount, OutPoint, TxOut};

use crate::keys::KeyRing;
use crate::rng::Rng;
use crate::script::{self, Owner};

/// Blocks until a coinbase output may be spent (Core, consensus/consensus.h).
pub const MATURITY: u32 = 100;

/// An unspent output that the generator can spend. `value` in satoshi.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Coin {
    pub outpoint: OutPoint,
    pub value: u64,
    pub owner: Owner,
    /// Height of the block that made it.
    pub height: u32,
    pub coinbase: bool,
}

impl Coin {
    /// The output itself.
    pub fn output(&self, ring: &mut KeyRing) -> TxOut {
        let script_pubkey = script::script_pubkey(ring, self.owner);
        TxOut { value: Amount::from_sat(self.value), script_pubkey }
    }
}

/// All spendable coins at the tip, and what the newest blocks spent.
#[derive(Clone, Default)]
pub struct Wallet {
    ready: Vec<Coin>,
    unripe: VecDeque<Coin>,
    /// Per block, newest last: its height and the coins it spent.
    journal: VecDeque<(u32, Vec<Coin>)>,
    keep: usize,
}

impl Wallet {
    /// A wallet that can go back at most `keep` blocks.
    pub fn new(keep: usize) -> Self {
        Self { keep, ..Self::default() }
    }

    /// Number of coins that may be spent now.
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// All coins that may be spent now, in no special order.
    pub fn coins(&self) -> &[Coin] {
        &self.ready
    }

    /// Coins of more than this many satoshi that only a signature spends; a node relays what
    /// spends them, which it does not do for all of the others.
    pub fn signed_coins(&self, satoshi: u64) -> impl Iterator<Item = Coin> {
        let fits = move |coin: &&Coin| !coin.owner.kind.is_open() && coin.value > satoshi;
        self.ready.iter().filter(fits).copied()
    }

    /// Starts a block: coinbase outputs that are old enough become spendable.
    pub fn begin(&mut self, height: u32) {
        while self.unripe.front().is_some_and(|c| c.height + MATURITY <= height) {
            self.ready.extend(self.unripe.pop_front());
        }
        self.journal.push_back((height, Vec::new()));
        if self.journal.len() > self.keep {
            self.journal.pop_front();
        }
    }

    /// Adds a new output.
    pub fn add(&mut self, coin: Coin) {
        if coin.coinbase { self.unripe.push_back(coin) } else { self.ready.push(coin) }
    }

    /// Takes a random coin.
    pub fn take(&mut self, rng: &mut Rng) -> Option<Coin> {
        let index = rng.below(self.ready.len() as u64) as usize;
        self.take_at(index)
    }

    /// Takes the largest of 16 random coins.
    pub fn take_rich(&mut self, rng: &mut Rng) -> Option<Coin> {
        let some = (0..16).map(|_| rng.below(self.ready.len() as u64) as usize);
        let best = some.max_by_key(|index| self.ready.get(*index).map(|coin| coin.value))?;
        self.take_at(best)
    }

    /// Takes the coin that was added last.
    pub fn take_newest(&mut self) -> Option<Coin> {
        self.take_at(self.ready.len().wrapping_sub(1))
    }

    /// Takes the coin at an index of [`Wallet::coins`].
    pub fn take_at(&mut self, index: usize) -> Option<Coin> {
        if index >= self.ready.len() {
            return None;
        }
        let coin = self.ready.swap_remove(index);
        self.journal.back_mut().expect("begin() was called").1.push(coin);
        Some(coin)
    }

    /// Takes a coin by what it pays to.
    pub fn take_owner(&mut self, owner: Owner) -> Option<Coin> {
        let index = self.ready.iter().rposition(|c| c.owner == owner)?;
        self.take_at(index)
    }

    /// Goes back to the state after block `height`; panics if that is further than it remembers.
    pub fn rewind(&mut self, height: u32) {
        let mut all: Vec<Coin> = std::mem::take(&mut self.ready);
        all.extend(std::mem::take(&mut self.unripe));
        while self.journal.back().is_some_and(|(h, _)| *h > height) {
            all.extend(self.journal.pop_back().expect("just seen").1);
        }
        let known = self.journal.back().is_some_and(|(h, _)| *h == height);
        assert!(known || height == 0, "the wallet does not remember block {height}");
        all.retain(|c| c.height <= height);
        let (mut unripe, ready): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|c| c.coinbase && c.height + MATURITY > height);
        unripe.sort_by_key(|c| (c.height, c.outpoint.vout));
        self.ready = ready;
        self.unripe = unripe.into();
    }
}
