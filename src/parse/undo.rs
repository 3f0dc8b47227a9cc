//! Undo data: the outputs that a block spent, transaction by transaction (Core undo.h, coins.h).

use super::bytes::{Cursor, Parsed};
use super::compress::{self, Script};

/// Reads the coins of one undo body in order; the caller knows where a transaction begins.
///
/// Layout: CompactSize number of transactions without the coinbase; per transaction a CompactSize
/// number of coins, one per input; per coin a VARINT of 2 * height + coinbase, a version VARINT
/// only where height > 0, the compressed amount, the compressed script. Nodes of 2013 wrote 1 as
/// the version, and height 0 for all coins but the last one that a transaction had left.
#[derive(Clone, Debug)]
pub struct Undo<'a> {
    cursor: Cursor<'a>,
    txs: usize,
}

/// An output that was spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentCoin<'a> {
    /// Amount as compressed in the file; see [`compress::amount`].
    pub compressed_amount: u64,
    /// The scriptPubKey.
    pub script: Script<'a>,
}

impl<'a> Undo<'a> {
    /// Starts at an undo body (without magic, length and checksum).
    pub fn new(body: &'a [u8]) -> Parsed<Self> {
        let mut cursor = Cursor::new(body);
        let txs = cursor.count(1, "number of transactions in undo data")?;
        Ok(Undo { cursor, txs })
    }

    /// Number of transactions that have coins here.
    pub fn txs(&self) -> usize {
        self.txs
    }

    /// Number of coins of the next transaction.
    pub fn coins(&mut self) -> Parsed<usize> {
        self.cursor.count(3, "number of coins in undo data")
    }

    /// The next coin.
    #[inline]
    pub fn coin(&mut self) -> Parsed<SpentCoin<'a>> {
        let code = self.cursor.varint("coin height in undo data")?;
        if code >> 1 > 0 {
            self.cursor.varint("coin version in undo data")?;
        }
        let compressed_amount = self.cursor.varint("coin amount in undo data")?;
        Ok(SpentCoin { compressed_amount, script: compress::script(&mut self.cursor)? })
    }

    /// The number of bytes after the last coin; 0 in valid data.
    pub fn left(&self) -> usize {
        self.cursor.left()
    }
}
