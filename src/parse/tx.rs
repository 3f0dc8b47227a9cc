//! Transactions and blocks visited in place: each transaction is checked once, then iterated.

use bitcoin::hashes::Hash;

use crate::hash::sha256d;
use crate::ids::{OutPoint, Txid};

use super::bytes::{Cursor, Parsed};

/// Smallest input: outpoint, empty script, sequence.
const MIN_INPUT: usize = 41;
/// Smallest output: value, empty script.
const MIN_OUTPUT: usize = 9;
/// Smallest transaction: version, one input, one output, lock time, counts.
const MIN_TX: usize = 10;

/// A transaction whose bounds have all been checked.
#[derive(Clone, Copy, Debug)]
pub struct TxView<'a> {
    bytes: &'a [u8],
    /// Input count up to the end of the outputs: what the txid covers between version and lock
    /// time.
    body: &'a [u8],
    inputs: &'a [u8],
    outputs: &'a [u8],
    input_count: usize,
    output_count: usize,
}

/// An output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputView<'a> {
    /// Value in satoshi, as stored (not checked against the money supply).
    pub value: u64,
    /// The scriptPubKey.
    pub script: &'a [u8],
}

/// Whether outputs with that script are left out: OP_RETURN can never be spent (Core script.h,
/// IsUnspendable).
pub fn is_unspendable(script: &[u8]) -> bool {
    script.first() == Some(&0x6a)
}

/// The output that an input spends.
fn input(cursor: &mut Cursor<'_>) -> Parsed<OutPoint> {
    let txid = Txid::from_byte_array(*cursor.array("input txid")?);
    let vout = u32::from_le_bytes(*cursor.array("input index")?);
    let script = cursor.count(1, "input script")?;
    cursor.take(script, "input script")?;
    cursor.take(4, "input sequence")?;
    Ok(OutPoint { txid, vout })
}

fn output<'a>(cursor: &mut Cursor<'a>) -> Parsed<OutputView<'a>> {
    let value = u64::from_le_bytes(*cursor.array("output value")?);
    let len = cursor.count(1, "output script")?;
    Ok(OutputView { value, script: cursor.take(len, "output script")? })
}

impl<'a> TxView<'a> {
    /// Reads one transaction, with or without witnesses (BIP 144).
    pub fn read(cursor: &mut Cursor<'a>) -> Parsed<TxView<'a>> {
        let start = cursor.position();
        cursor.take(4, "transaction version")?;
        let mut body_start = cursor.position();
        let mut input_count = cursor.count(MIN_INPUT, "number of inputs")?;
        let witness = input_count == 0;
        if witness {
            if cursor.u8("segwit flag")? != 1 {
                return Err(cursor.error("unknown segwit flag"));
            }
            body_start = cursor.position();
            input_count = cursor.count(MIN_INPUT, "number of inputs")?;
        }
        let inputs_start = cursor.position();
        for _ in 0..input_count {
            input(cursor)?;
        }
        let inputs = cursor.since(inputs_start);
        let output_count = cursor.count(MIN_OUTPUT, "number of outputs")?;
        let outputs_start = cursor.position();
        for _ in 0..output_count {
            output(cursor)?;
        }
        let outputs = cursor.since(outputs_start);
        let body = cursor.since(body_start);
        if witness {
            for _ in 0..input_count {
                for _ in 0..cursor.count(1, "number of witness items")? {
                    let len = cursor.count(1, "witness item")?;
                    cursor.take(len, "witness item")?;
                }
            }
        }
        cursor.take(4, "lock time")?;
        let bytes = cursor.since(start);
        Ok(TxView { bytes, body, inputs, outputs, input_count, output_count })
    }

    /// The transaction as serialised, witnesses included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Number of inputs.
    pub fn input_count(&self) -> usize {
        self.input_count
    }

    /// Number of outputs.
    pub fn output_count(&self) -> usize {
        self.output_count
    }

    /// The txid: SHA256d without witnesses.
    pub fn txid(&self) -> Txid {
        Txid::from_byte_array(sha256d(&self.txid_parts()))
    }

    /// What the txid is the hash of: version, inputs and outputs, lock time.
    pub fn txid_parts(&self) -> [&'a [u8]; 3] {
        let version = self.bytes.get(..4).unwrap_or_default();
        let lock_time = self.bytes.get(self.bytes.len() - 4..).unwrap_or_default();
        [version, self.body, lock_time]
    }

    /// The outputs that it spends, in the order of its inputs.
    pub fn inputs(&self) -> impl Iterator<Item = OutPoint> + use<'a> {
        let mut cursor = Cursor::new(self.inputs);
        // read() has been over these bytes, so the error that would end this early cannot come
        (0..self.input_count).map_while(move |_| input(&mut cursor).ok())
    }

    /// The outputs in order.
    pub fn outputs(&self) -> impl Iterator<Item = OutputView<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.outputs);
        (0..self.output_count).map_while(move |_| output(&mut cursor).ok())
    }

    /// Whether this is a coinbase.
    pub fn is_coinbase(&self) -> bool {
        self.input_count == 1 && self.inputs().all(|input| input.is_null())
    }
}

/// A block's header and a cursor over its transactions.
#[derive(Clone, Debug)]
pub struct BlockView<'a> {
    /// The 80 bytes of the header.
    pub header: &'a [u8; 80],
    /// Number of transactions.
    pub txs: usize,
    cursor: Cursor<'a>,
}

impl<'a> BlockView<'a> {
    /// Reads header and transaction count.
    pub fn new(bytes: &'a [u8]) -> Parsed<Self> {
        let mut cursor = Cursor::new(bytes);
        let header = cursor.array("block header")?;
        let txs = cursor.count(MIN_TX, "number of transactions")?;
        if txs == 0 {
            return Err(cursor.error("block without transactions"));
        }
        Ok(BlockView { header, txs, cursor })
    }

    /// The next transaction; call it `txs` times.
    pub fn next_tx(&mut self) -> Parsed<TxView<'a>> {
        TxView::read(&mut self.cursor)
    }

    /// How many bytes follow the last transaction; 0 in a sound block.
    pub fn left(&self) -> usize {
        self.cursor.left()
    }
}

/// Parts of a header.
pub mod header {
    use bitcoin::hashes::Hash;

    use super::sha256d;
    use crate::ids::{BlockHash, HeaderBytes};

    /// The block hash.
    pub fn hash(header: &HeaderBytes) -> BlockHash {
        BlockHash::from_byte_array(sha256d(&[header]))
    }

    /// Hash of the block before.
    pub fn previous(header: &HeaderBytes) -> BlockHash {
        BlockHash::from_byte_array(part(header, 4))
    }

    /// The Merkle root over the txids, internal byte order.
    pub fn merkle_root(header: &HeaderBytes) -> [u8; 32] {
        part(header, 36)
    }

    /// The compact target.
    pub fn bits(header: &HeaderBytes) -> u32 {
        let [.., a, b, c, d, _, _, _, _] = *header;
        u32::from_le_bytes([a, b, c, d])
    }

    /// The time the miner wrote, seconds since 1970.
    pub fn time(header: &HeaderBytes) -> u32 {
        let [.., a, b, c, d, _, _, _, _, _, _, _, _] = *header;
        u32::from_le_bytes([a, b, c, d])
    }

    fn part(header: &HeaderBytes, start: usize) -> [u8; 32] {
        let mut part = [0; 32];
        part.copy_from_slice(&header[start..start + 32]);
        part
    }
}
