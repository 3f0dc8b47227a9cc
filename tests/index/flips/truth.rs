//! All that can be asked about a chain, with the right answers, to be asked again after each flip.

use std::fmt::{Debug, Display};

use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Block, OutPoint, Txid};
use hekte::ids::{Height, ScriptHash};
use hekte::protocol::reply::wire_height;
use hekte::query::answers::{Answers, QueryError};
use hekte::query::engine::Engine;
use hekte_testkit::model::{self, Model};
use hekte_testkit::proof;

use crate::answers::hex;

/// Right answers.
pub struct Truth {
    scripts: Vec<Script>,
    transactions: Vec<Transaction>,
    headers: Vec<Vec<u8>>,
}

struct Script {
    hash: ScriptHash,
    history: Vec<(Txid, i64)>,
    coins: Vec<(OutPoint, Option<Height>, u64)>,
    balance: u64,
    status: Option<String>,
}

struct Transaction {
    txid: Txid,
    bytes: Vec<u8>,
    height: Height,
    pos: u32,
    branch: Vec<[u8; 32]>,
}

impl Truth {
    pub fn of(blocks: &[Block]) -> Truth {
        let model = Model::new(blocks);
        let script = |script: model::ScriptHash| {
            let entry = |item: &model::HistoryItem| (item.txid, i64::from(item.height));
            let coin = |c: &model::Unspent| {
                (OutPoint { txid: c.txid, vout: c.vout }, Some(Height(c.height)), c.value)
            };
            Script {
                hash: ScriptHash(script.0),
                history: model.history(script).iter().map(entry).collect(),
                coins: model.unspent(script).iter().map(coin).collect(),
                balance: model.balance(script),
                status: model.status(script),
            }
        };
        let scripts = model.scripthashes().into_iter().map(script).collect();
        let mut transactions = Vec::new();
        for (block, height) in blocks.iter().zip((0..).map(Height)) {
            let txids = block.txdata.iter().map(|tx| tx.compute_txid());
            let leaves: Vec<[u8; 32]> = txids.map(|txid| txid.to_byte_array()).collect();
            for (tx, pos) in block.txdata.iter().zip(0..) {
                let (txid, bytes) = (tx.compute_txid(), serialize(tx));
                let branch = proof::branch(&leaves, pos as usize);
                transactions.push(Transaction { txid, bytes, height, pos, branch });
            }
        }
        let headers = blocks.iter().map(|block| serialize(&block.header)).collect();
        Truth { scripts, transactions, headers }
    }

    /// Asks for the status of each script, for which its whole history is read; the same outcome.
    pub fn ask_statuses(&self, engine: &Engine) -> Result<usize, String> {
        let mut refused = 0;
        for Script { hash, status, .. } in &self.scripts {
            let answer = engine.status(hash).map(|status| status.map(hex));
            judge(&mut refused, &format_args!("status of {hash}"), answer, status)?;
        }
        Ok(refused)
    }

    /// Asks everything; the number of refused answers, or the first that is wrong.
    pub fn ask(&self, engine: &Engine) -> Result<usize, String> {
        let mut refused = 0;
        let refused = &mut refused;
        for script in &self.scripts {
            let Script { hash, history, coins, balance, status } = script;
            let list = engine.history(hash).map(|list| {
                list.iter().map(|e| (e.txid, wire_height(e.confirmation))).collect::<Vec<_>>()
            });
            judge(refused, &format_args!("history of {hash}"), list, history)?;
            let list = engine.unspent(hash).map(|list| {
                list.iter().map(|c| (c.outpoint, c.height, c.value)).collect::<Vec<_>>()
            });
            judge(refused, &format_args!("coins of {hash}"), list, coins)?;
            let sum = engine.balance(hash).map(|balance| balance.confirmed);
            judge(refused, &format_args!("balance of {hash}"), sum, balance)?;
            let hash_of_all = engine.status(hash).map(|status| status.map(hex));
            judge(refused, &format_args!("status of {hash}"), hash_of_all, status)?;
        }
        for Transaction { txid, bytes, height, pos, branch } in &self.transactions {
            // in turn: a transaction is found by its txid for either
            let proof = if pos % 2 == 0 {
                judge(refused, txid, engine.transaction(txid), bytes)?;
                engine.at_position(*height, *pos)
            } else {
                engine.merkle_proof(txid, *height)
            };
            let proof = proof.map(|proof| (proof.txid, proof.pos, proof.branch));
            judge(refused, txid, proof, &(*txid, *pos, branch.clone()))?;
        }
        for (header, height) in self.headers.iter().zip((0..).map(Height)) {
            let answer = engine.header(height).map(|header| header.to_vec());
            judge(refused, &format_args!("header {height}"), answer, header)?;
        }
        let all = engine.headers(Height(0), self.headers.len() as u32);
        let all = all.map(|all| all.iter().map(|header| header.to_vec()).collect::<Vec<_>>());
        judge(refused, &"headers", all, &self.headers)?;
        Ok(*refused)
    }
}

fn judge<T: PartialEq + Debug>(
    refused: &mut usize,
    what: &dyn Display,
    answer: Result<T, QueryError>,
    right: &T,
) -> Result<(), String> {
    match answer {
        Ok(answer) if answer == *right => Ok(()),
        Ok(answer) => Err(format!("{what}: {answer:?}, which should be {right:?}")),
        Err(QueryError::Internal(_)) => {
            *refused += 1;
            Ok(())
        }
        Err(other) => Err(format!("{what}: neither right nor an internal error: {other:?}")),
    }
}
