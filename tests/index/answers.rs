//! Every question about a chain, asked of the index and answered naively: the two must agree.

use std::collections::HashMap;

use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Block, OutPoint, Txid};
use hekte::ids::{Height, ScriptHash};
use hekte::protocol::reply::wire_height;
use hekte::query::answers::{Answers, Confirmation, OutpointStatus};
use hekte::query::engine::Engine;
use hekte_testkit::model::{self, Model};
use hekte_testkit::proof;

/// How much was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub scripts: usize,
    pub transactions: usize,
    pub merkle_proofs: usize,
    pub header_proofs: usize,
    pub outpoints: usize,
}

/// Asks about everything in the chain; panics at the first answer that differs.
pub fn compare(engine: &Engine, blocks: &[Block]) -> Compared {
    let model = Model::new(blocks);
    let tip = engine.tip();
    assert_eq!(tip.height.0, model.height());
    assert_eq!(tip.header[..], serialize(&blocks[blocks.len() - 1].header));
    Compared {
        scripts: scripts(engine, &model),
        transactions: transactions(engine, &model, blocks),
        merkle_proofs: merkle_proofs(engine, &model),
        header_proofs: header_proofs(engine, &model),
        outpoints: outpoints(engine, blocks),
    }
}

/// History, coins, balance and status of every script.
pub fn scripts(engine: &Engine, model: &Model) -> usize {
    let all = model.scripthashes();
    for script in &all {
        check_script(engine, model, *script);
    }
    let unknown = ScriptHash([7; 32]);
    assert_eq!(engine.history(&unknown).unwrap(), []);
    assert_eq!(engine.status(&unknown).unwrap(), None);
    assert_eq!(engine.balance(&unknown).unwrap().confirmed, 0);
    all.len()
}

/// The same of one script.
pub fn check_script(engine: &Engine, model: &Model, script: model::ScriptHash) {
    let asked = ScriptHash(script.0);
    let history = engine.history(&asked).unwrap();
    let history: Vec<_> = history.iter().map(|e| (e.txid, wire_height(e.confirmation))).collect();
    let right = model.history(script).iter().map(|item| (item.txid, i64::from(item.height)));
    assert_eq!(history, right.collect::<Vec<_>>(), "history of {script}");
    let coins = engine.unspent(&asked).unwrap();
    let coins: Vec<_> = coins.iter().map(|c| (c.outpoint, c.height, c.value)).collect();
    let coin = |c: &model::Unspent| {
        (OutPoint { txid: c.txid, vout: c.vout }, Some(Height(c.height)), c.value)
    };
    let right: Vec<_> = model.unspent(script).iter().map(coin).collect();
    assert_eq!(coins, right, "coins of {script}");
    assert_eq!(engine.balance(&asked).unwrap().confirmed, model.balance(script), "{script}");
    let status = engine.status(&asked).unwrap().map(hex);
    assert_eq!(status, model.status(script), "status of {script}");
}

/// Bytes and block of every transaction; of BIP 30's twins the later one.
pub fn transactions(engine: &Engine, model: &Model, blocks: &[Block]) -> usize {
    let mut count = 0;
    for block in blocks {
        for tx in &block.txdata {
            let txid = tx.compute_txid();
            assert_eq!(engine.transaction(&txid).unwrap(), serialize(tx), "{txid}");
            let (hash, height) = engine.block_of(&txid).unwrap();
            let (last, _) = *model.places(txid).last().unwrap();
            assert_eq!(height.0, last, "{txid}");
            assert_eq!(hash[..], serialize(&blocks[last as usize].header), "{txid}");
            count += 1;
        }
    }
    assert!(engine.transaction(&Txid::from_byte_array([9; 32])).is_err());
    count
}

/// By txid and by position, for every transaction; each branch must lead to the header's root.
pub fn merkle_proofs(engine: &Engine, model: &Model) -> usize {
    let mut count = 0;
    for height in 0..=model.height() {
        let txids = model.block_txids(height);
        let leaves: Vec<_> = txids.iter().map(|txid| txid.to_byte_array()).collect();
        let root = model.header(height).merkle_root.to_byte_array();
        for (pos, txid) in txids.iter().enumerate() {
            let branch = proof::branch(&leaves, pos);
            for proof in [
                engine.merkle_proof(txid, Height(height)).unwrap(),
                engine.at_position(Height(height), pos as u32).unwrap(),
            ] {
                assert_eq!((proof.txid, proof.pos as usize), (*txid, pos), "height {height}");
                assert_eq!(proof.branch, branch, "height {height} position {pos}");
                assert_eq!(proof::climb(leaves[pos], &proof.branch, pos), root);
                count += 1;
            }
        }
        assert!(engine.at_position(Height(height), txids.len() as u32).is_err());
    }
    count
}

/// A spread of heights under a spread of checkpoints.
pub fn header_proofs(engine: &Engine, model: &Model) -> usize {
    let leaves: Vec<_> = model.headers().iter().map(|h| h.block_hash().to_byte_array()).collect();
    let tip = model.height();
    let mut checkpoints = vec![0, 1, 2, 5, 8, 255, 256, 257, tip / 3, tip / 2, tip - 1, tip];
    checkpoints.retain(|cp| *cp <= tip);
    let mut count = 0;
    for &cp in &checkpoints {
        let under = &leaves[..=cp as usize];
        let root = proof::root(under);
        for height in [0, 1, cp / 3, cp / 2, cp.saturating_sub(1), cp] {
            if height > cp {
                continue;
            }
            let proof = engine.header_proof(Height(height), Height(cp)).unwrap();
            assert_eq!(proof.branch, proof::branch(under, height as usize), "{height} of {cp}");
            assert_eq!(proof.root, root, "checkpoint {cp}");
            count += 1;
        }
    }
    assert!(engine.header_proof(Height(0), Height(tip + 1)).is_err());
    let all = engine.headers(Height(0), tip + 10).unwrap();
    let right = model.headers().iter().map(serialize);
    assert!(all.iter().map(|header| header.to_vec()).eq(right));
    count
}

/// Who made and who spent each output.
pub fn outpoints(engine: &Engine, blocks: &[Block]) -> usize {
    let mut right: HashMap<OutPoint, OutpointStatus> = HashMap::new();
    for (height, block) in blocks.iter().enumerate() {
        let here = Confirmation::Block(Height(height as u32));
        for tx in &block.txdata {
            let txid = tx.compute_txid();
            for input in &tx.input {
                if let Some(status) = right.get_mut(&input.previous_output) {
                    status.spender = Some((txid, here));
                }
            }
            for (vout, output) in (0..).zip(&tx.output) {
                let bytes = output.script_pubkey.as_bytes();
                let script = (bytes.first() != Some(&0x6a)).then(|| ScriptHash::of(bytes).prefix());
                let status = OutpointStatus { funder: Some(here), spender: None, script };
                right.insert(OutPoint { txid, vout }, status);
            }
            let beyond = OutPoint { txid, vout: tx.output.len() as u32 };
            right.insert(beyond, OutpointStatus::default());
        }
    }
    for (outpoint, status) in &right {
        assert_eq!(engine.outpoint(outpoint).unwrap(), *status, "{outpoint}");
    }
    right.len()
}

/// Bytes as text.
pub fn hex(bytes: [u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
