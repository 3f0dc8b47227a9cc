//! Puts transactions into a valid regtest block: coinbase, commitments, proof of work.

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::{
    Amount, Block, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Witness, transaction,
};

/// The easiest difficulty, that of every regtest block.
pub const REGTEST_BITS: u32 = 0x207f_ffff;

/// The satoshi that a block at `height` may create on regtest (halved every 150 blocks).
pub fn subsidy(height: u32) -> u64 {
    5_000_000_000u64.checked_shr(height / 150).unwrap_or(0)
}

/// The parts of a block. Blocks with another `extra` differ, so siblings can be made.
pub struct Parts {
    pub prev: BlockHash,
    pub height: u32,
    pub time: u32,
    pub extra: u64,
    /// Outputs of the coinbase, without the witness commitment.
    pub reward: Vec<TxOut>,
    /// Everything after the coinbase.
    pub txs: Vec<Transaction>,
    /// Whether to commit to witnesses (BIP141) even if there are none.
    pub always_commit: bool,
}

/// Builds and mines the block.
pub fn assemble(parts: Parts) -> Block {
    let has_witness = parts.txs.iter().any(|tx| tx.input.iter().any(|i| !i.witness.is_empty()));
    let commit = has_witness || parts.always_commit;
    let mut txdata = Vec::with_capacity(parts.txs.len() + 1);
    txdata.push(coinbase(parts.height, parts.extra, parts.reward, commit));
    txdata.extend(parts.txs);
    let header = Header {
        version: Version::from_consensus(0x2000_0000),
        prev_blockhash: parts.prev,
        merkle_root: TxMerkleNode::all_zeros(),
        time: parts.time,
        bits: CompactTarget::from_consensus(REGTEST_BITS),
        nonce: 0,
    };
    let mut block = Block { header, txdata };
    if commit {
        let script_pubkey = commitment(&block);
        block.txdata[0].output.push(TxOut { value: Amount::ZERO, script_pubkey });
    }
    block.header.merkle_root = block.compute_merkle_root().expect("there is a coinbase");
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce += 1;
    }
    block
}

fn coinbase(height: u32, extra: u64, output: Vec<TxOut>, commit: bool) -> Transaction {
    // BIP34: the height comes first, as the smallest push
    let script_sig =
        Builder::new().push_int(i64::from(height)).push_slice(extra.to_be_bytes()).into_script();
    let witness = if commit { Witness::from_slice(&[[0u8; 32]]) } else { Witness::new() };
    Transaction {
        version: transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            script_sig,
            sequence: Sequence::MAX,
            witness,
        }],
        output,
    }
}

/// The output script of BIP141: OP_RETURN, 36 bytes, aa21a9ed, commitment.
fn commitment(block: &Block) -> ScriptBuf {
    let root = block.witness_root().expect("there is a coinbase");
    let hash = Block::compute_witness_commitment(&root, &[0; 32]);
    let mut script = vec![0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
    script.extend_from_slice(hash.as_byte_array());
    ScriptBuf::from_bytes(script)
}
