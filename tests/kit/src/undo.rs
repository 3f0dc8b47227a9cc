//! The body of an undo record: what a block spent, as bitcoind writes it to rev files.

use std::collections::HashMap;

use bitcoin::Txid;
use bitcoin::hashes::{Hash, sha256d};

use crate::chain::{GenBlock, SpentCoin};
use crate::compress;

/// The form in which a node writes spent coins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// Since 2017, every coin has its height, and a version byte of 0.
    #[default]
    Today,
    /// In 2013, only the coin spent last of a transaction had its height and then version 1; all
    /// others have code 0 and no version. On stale blocks no coin counts as the last.
    Year2013,
}

/// Writes undo bodies; tracks what the dialect of 2013 needs to know.
#[derive(Default)]
pub struct UndoWriter {
    dialect: Dialect,
    /// The number of spendable outputs left of each transaction of the active chain.
    left: HashMap<Txid, u32>,
}

impl UndoWriter {
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, left: HashMap::new() }
    }

    /// The body: a CompactSize count of transactions after the coinbase; for each a CompactSize
    /// count of inputs; for each input the coin.
    pub fn body(&mut self, block: &GenBlock) -> Vec<u8> {
        if self.dialect == Dialect::Today {
            return body(block);
        }
        let mut out = Vec::new();
        compress::compact_size(&mut out, block.spent.len() as u64);
        self.count(block, 0);
        for (index, coins) in block.spent.iter().enumerate() {
            compress::compact_size(&mut out, coins.len() as u64);
            let inputs = &block.block.txdata[index + 1].input;
            for (coin, input) in coins.iter().zip(inputs) {
                let last = block.active && self.is_last(input.previous_output.txid);
                let height = if last { coin.height } else { 0 };
                let flag = u64::from(last && coin.coinbase);
                compress::varint(&mut out, 2 * u64::from(height) + flag);
                if height > 0 {
                    compress::varint(&mut out, 1);
                }
                output(&mut out, coin);
            }
            self.count(block, index + 1);
        }
        out
    }

    fn count(&mut self, block: &GenBlock, index: usize) {
        let tx = &block.block.txdata[index];
        let open = tx.output.iter().filter(|o| !o.script_pubkey.as_bytes().starts_with(&[0x6a]));
        if block.active {
            self.left.insert(tx.compute_txid(), open.count() as u32);
        }
    }

    fn is_last(&mut self, txid: Txid) -> bool {
        let Some(left) = self.left.get_mut(&txid) else { return false };
        *left = left.saturating_sub(1);
        let last = *left == 0;
        if last {
            self.left.remove(&txid);
        }
        last
    }
}

/// The body as today's bitcoind writes it.
pub fn body(block: &GenBlock) -> Vec<u8> {
    let mut out = Vec::new();
    compress::compact_size(&mut out, block.spent.len() as u64);
    for coins in &block.spent {
        compress::compact_size(&mut out, coins.len() as u64);
        for coin in coins {
            compress::varint(&mut out, 2 * u64::from(coin.height) + u64::from(coin.coinbase));
            if coin.height > 0 {
                compress::varint(&mut out, 0); // formerly the version of the transaction
            }
            output(&mut out, coin);
        }
    }
    out
}

/// The 32 bytes after the body: SHA256d over the previous block's hash and the body.
pub fn checksum(block: &GenBlock, body: &[u8]) -> [u8; 32] {
    let mut text = block.block.header.prev_blockhash.to_byte_array().to_vec();
    text.extend_from_slice(body);
    sha256d::Hash::hash(&text).to_byte_array()
}

fn output(out: &mut Vec<u8>, coin: &SpentCoin) {
    compress::varint(out, compress::amount(coin.output.value.to_sat()));
    compress::script(out, coin.output.script_pubkey.as_bytes());
}
