//! Verifies a wallet's answers as a wallet does, and computes a hash of all of them.

use std::collections::HashMap;

use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize_hex;
use bitcoin::hashes::{Hash, sha256, sha256d};
use bitcoin::{Transaction, TxMerkleNode, Txid};
use serde_json::{Value, json};

use crate::peers::synchronise::{KINDS, Run, Want, entries};

/// Length of a header in hex.
const HEADER_HEX: usize = 160;

/// Panics unless headers form a chain, statuses match histories, transactions have the requested
/// txids, and every transaction is proven to be in its block.
pub fn prove(run: &Run) {
    let headers = headers(run);
    for (want, answer) in &run.answers {
        match want {
            Want::Headers(_) => {}
            Want::Status(script) => {
                let history = run.answers.get(&Want::History(script.clone()));
                assert_eq!(*answer, history.map_or(Value::Null, status), "status of {script}");
            }
            Want::History(script) => {
                let heights = entries(answer).into_iter().map(|(_, height)| height);
                assert!(heights.is_sorted(), "history of {script}: out of order");
            }
            Want::Transaction(txid) => {
                let tx: Transaction = deserialize_hex(text(answer)).expect("a transaction");
                assert_eq!(tx.compute_txid().to_string(), *txid, "not what was asked for");
            }
            Want::Proof(txid, height) => {
                let root = root(txid, answer);
                assert_eq!(root, headers[*height as usize].merkle_root, "{txid} at {height}");
            }
        }
    }
}

fn text(answer: &Value) -> &str {
    answer.as_str().unwrap_or_else(|| panic!("no text: {answer}"))
}

fn headers(run: &Run) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for (want, answer) in &run.answers {
        let Want::Headers(from) = want else { continue };
        assert_eq!(*from as usize, headers.len());
        let hex = text(&answer["hex"]);
        for at in (0..hex.len()).step_by(HEADER_HEX) {
            let header: Header = deserialize_hex(&hex[at..at + HEADER_HEX]).expect("a header");
            let before = headers.last().map(Header::block_hash);
            assert!(before.is_none_or(|before| before == header.prev_blockhash), "no chain");
            headers.push(header);
        }
    }
    headers
}

/// The status of a history.
fn status(history: &Value) -> Value {
    let text: String =
        entries(history).iter().map(|(txid, height)| format!("{txid}:{height}:")).collect();
    json!(sha256::Hash::hash(text.as_bytes()).to_string())
}

/// The root that results from a branch.
fn root(txid: &str, proof: &Value) -> TxMerkleNode {
    let txid: Txid = txid.parse().expect("a txid");
    let mut place = proof["pos"].as_u64().expect("a position");
    let mut node = txid.to_byte_array();
    for sibling in proof["merkle"].as_array().expect("a branch") {
        let sibling: Txid = text(sibling).parse().expect("a hash");
        let sibling = sibling.to_byte_array();
        let pair = if place.is_multiple_of(2) { [node, sibling] } else { [sibling, node] };
        node = sha256d::Hash::hash(&pair.concat()).to_byte_array();
        place /= 2;
    }
    TxMerkleNode::from_byte_array(node)
}

/// A hash of all answers of each kind; servers with equal answers have equal hashes.
pub fn digests(run: &Run) -> Value {
    let mut texts: HashMap<usize, Vec<String>> = HashMap::new();
    for (want, answer) in &run.answers {
        texts.entry(want.kind()).or_default().push(answer.to_string());
    }
    let digest = |kind: usize| {
        let text = texts.remove(&kind).unwrap_or_default().join("\n");
        (KINDS[kind].to_string(), json!(sha256::Hash::hash(text.as_bytes()).to_string()))
    };
    Value::Object((0..KINDS.len()).map(digest).collect())
}
