//! Answers to Electrum's questions, computed naively: hash maps, full hashes, real UTXOs.
//!
//! The model takes only blocks in height order, so it works for real chains, and depends neither on
//! the generator nor on undo data. Not indexed: outputs whose script begins with 0x6a, and the
//! coinbase of the genesis block.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use bitcoin::block::Header;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Block, BlockHash, OutPoint, Script, Transaction, Txid};

use crate::proof;

/// The SHA256 of a scriptPubKey; shown in reversed byte order, as in the Electrum protocol.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScriptHash(pub [u8; 32]);

impl ScriptHash {
    pub fn of(script: &Script) -> Self {
        Self(sha256::Hash::hash(script.as_bytes()).to_byte_array())
    }
}

impl std::fmt::Display for ScriptHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for ScriptHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// A transaction that funds or spends a script; ordered as in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct HistoryItem {
    pub height: u32,
    /// The transaction's index within the block.
    pub pos: u32,
    pub txid: Txid,
}

/// An unspent output of a script; `value` is in satoshi. Ordered as in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Unspent {
    pub height: u32,
    pub pos: u32,
    pub vout: u32,
    pub txid: Txid,
    pub value: u64,
}

#[derive(Clone, Default)]
struct Account {
    history: Vec<HistoryItem>,
    unspent: BTreeMap<OutPoint, Unspent>,
}

/// Everything that is known about a chain of blocks.
#[derive(Clone, Default)]
pub struct Model {
    accounts: HashMap<ScriptHash, Account>,
    /// The script hash of each unspent output that is indexed.
    owners: HashMap<OutPoint, ScriptHash>,
    headers: Vec<Header>,
    /// Transaction ids of each block.
    txids: Vec<Vec<Txid>>,
    /// Height and index in the block of each transaction; only the twins of BIP30 have more than
    /// one.
    places: HashMap<Txid, Vec<(u32, u32)>>,
}

impl Model {
    /// Reads a chain from genesis on.
    pub fn new<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Self {
        let mut model = Self::default();
        blocks.into_iter().for_each(|block| model.push(block));
        model
    }

    /// Adds the next block. Panics if it does not follow the last one.
    pub fn push(&mut self, block: &Block) {
        let prev = self.headers.last().map_or(BlockHash::all_zeros(), Header::block_hash);
        assert_eq!(block.header.prev_blockhash, prev, "blocks come in height order from genesis");
        let height = self.headers.len() as u32;
        let txids: Vec<Txid> = block.txdata.iter().map(Transaction::compute_txid).collect();
        for (pos, (tx, txid)) in (0u32..).zip(block.txdata.iter().zip(&txids)) {
            self.places.entry(*txid).or_default().push((height, pos));
            if height > 0 {
                self.add_tx(tx, HistoryItem { height, pos, txid: *txid });
            }
        }
        self.headers.push(block.header);
        self.txids.push(txids);
    }

    fn add_tx(&mut self, tx: &Transaction, item: HistoryItem) {
        for input in &tx.input {
            if let Some(script) = self.owners.remove(&input.previous_output) {
                let account = self.accounts.get_mut(&script).expect("it was funded");
                account.unspent.remove(&input.previous_output);
                account.note(item);
            }
        }
        for (vout, output) in (0u32..).zip(&tx.output) {
            if output.script_pubkey.as_bytes().first() == Some(&0x6a) {
                continue;
            }
            let script = ScriptHash::of(&output.script_pubkey);
            let outpoint = OutPoint { txid: item.txid, vout };
            let value = output.value.to_sat();
            let coin = Unspent { height: item.height, pos: item.pos, vout, txid: item.txid, value };
            let account = self.accounts.entry(script).or_default();
            // a BIP30 twin replaces the earlier transaction's coin
            account.unspent.insert(outpoint, coin);
            account.note(item);
            self.owners.insert(outpoint, script);
        }
    }

    /// Height of the last block.
    pub fn height(&self) -> u32 {
        self.headers.len() as u32 - 1
    }

    pub fn header(&self, height: u32) -> &Header {
        &self.headers[height as usize]
    }

    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// Transaction ids of a block, in order.
    pub fn block_txids(&self, height: u32) -> &[Txid] {
        &self.txids[height as usize]
    }

    /// Every script hash that was ever paid to, sorted.
    pub fn scripthashes(&self) -> Vec<ScriptHash> {
        let mut all: Vec<_> = self.accounts.keys().copied().collect();
        all.sort_unstable();
        all
    }

    /// Transactions of a script in chain order; empty for unknown scripts.
    pub fn history(&self, script: ScriptHash) -> &[HistoryItem] {
        self.accounts.get(&script).map_or(&[], |account| &account.history)
    }

    /// Unspent outputs in chain order.
    pub fn unspent(&self, script: ScriptHash) -> Vec<Unspent> {
        let coins = self.accounts.get(&script).into_iter().flat_map(|a| a.unspent.values());
        let mut coins: Vec<_> = coins.copied().collect();
        coins.sort_unstable();
        coins
    }

    /// Sum of the unspent outputs in satoshi.
    pub fn balance(&self, script: ScriptHash) -> u64 {
        self.unspent(script).iter().map(|coin| coin.value).sum()
    }

    /// Electrum's status of a script; `None` if it has no history.
    pub fn status(&self, script: ScriptHash) -> Option<String> {
        status(self.history(script).iter().map(|item| (item.txid, i64::from(item.height))))
    }

    /// Height and index of a transaction; the twins of BIP30 have two.
    pub fn places(&self, txid: Txid) -> &[(u32, u32)] {
        self.places.get(&txid).map_or(&[], Vec::as_slice)
    }

    /// All transaction ids in chain order.
    pub fn transactions(&self) -> impl Iterator<Item = Txid> {
        self.txids.iter().flatten().copied()
    }

    /// The script hash that an unspent output pays to.
    pub fn owner(&self, outpoint: &OutPoint) -> Option<ScriptHash> {
        self.owners.get(outpoint).copied()
    }

    /// Count and value in satoshi of all unspent outputs that are indexed.
    pub fn totals(&self) -> (u64, u64) {
        let value = |account: &Account| account.unspent.values().map(|c| c.value).sum::<u64>();
        (self.owners.len() as u64, self.accounts.values().map(value).sum())
    }

    /// The Merkle branch of a transaction, from the bottom, as hex in display order.
    pub fn merkle(&self, height: u32, pos: u32) -> Vec<String> {
        let leaves: Vec<_> = self.block_txids(height).iter().map(|t| t.to_byte_array()).collect();
        proof::branch(&leaves, pos as usize).iter().map(proof::display).collect()
    }

    /// Branch and root that prove the header at `height` in the chain up to `cp_height`.
    pub fn header_proof(&self, height: u32, cp_height: u32) -> (Vec<String>, String) {
        let headers = &self.headers[..=cp_height as usize];
        let leaves: Vec<_> = headers.iter().map(|h| h.block_hash().to_byte_array()).collect();
        let branch = proof::branch(&leaves, height as usize);
        (branch.iter().map(proof::display).collect(), proof::display(&proof::root(&leaves)))
    }
}

impl Account {
    /// Adds an entry; a transaction that touches a script several times gives only one.
    fn note(&mut self, item: HistoryItem) {
        if self.history.last() != Some(&item) {
            self.history.push(item);
        }
    }
}

/// The hex of the SHA256 over `txid:height:` of each item; unconfirmed items have height 0 or -1
/// and come last. `None` for an empty history.
pub fn status(items: impl IntoIterator<Item = (Txid, i64)>) -> Option<String> {
    let mut text = String::new();
    for (txid, height) in items {
        write!(text, "{txid}:{height}:").expect("strings take everything");
    }
    (!text.is_empty()).then(|| sha256::Hash::hash(text.as_bytes()).to_string())
}
