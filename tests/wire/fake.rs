//! A small fake index: nine real headers, and one script with the protocol's own example.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};

use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{OutPoint, Txid};
use hekte::ids::{HeaderBytes, Height, ScriptHash};
use hekte::live::tip::Tip;
use hekte::protocol::reply::wire_height;
use hekte::query::answers::*;
use hekte::query::decoded::VerboseTx;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Mainnet headers 0 to 8.
const HEADERS: &str = include_str!("headers.txt");
/// The script of "Status Example" in the protocol basics, by its hash.
pub const EXAMPLE: &str = "f04bf26fc16a27abaa2f10540da7a24e369e6ec408f2d901202a7c0cd4a6112d";
/// A script whose history is too long to answer.
pub const TOO_LONG: &str = "1111111111111111111111111111111111111111111111111111111111111111";
/// A script whose questions block until the gate opens.
pub const SLOW: &str = "2222222222222222222222222222222222222222222222222222222222222222";
/// A script whose history makes a reply of many megabytes, within the limit.
pub const LARGE: &str = "3333333333333333333333333333333333333333333333333333333333333333";
/// A script whose history makes a reply over the limit.
pub const TOO_LARGE: &str = "4444444444444444444444444444444444444444444444444444444444444444";

const A6C9: &str = "a6c9c361bd0bc536d6a22648efbf8f9b200e425ef6c3a7a9669dc444c532a347";
const X9C42: &str = "9c42f84b2fcdaff676ba25d9d4941741cc0d1a01cce0c23fdc4c0b2afa38431c";
const X770F: &str = "770f2d4371b3fabb902dd9a103e2dd005fcd3971181078fca4a2a1d6ff127b30";
const X80B1: &str = "80b19848aed792565ab7c5a79b7c2a00fbf985741579396ebe0ab6098e607311";
const E02A: &str = "e02a1dadfa83b996b24175df807b271ea5d02937ef5b35c195fac1e1bdc3198f";
const BB4C: &str = "bb4c8ab438c13b89ca80d1d5bee25b0b6b7f55673f4d801998ba97db161d9e85";
/// The coinbase of block 1.
pub const COINBASE_1: &str = "0e3e2357e806b6cdb1f70b54c3a3a17b6714ee1f0e68bebb44a74b1efd512098";
pub const RAW_1: &str = "01000000010000000000000000000000000000000000000000000000000000000000000000\
    ffffffff0704ffff001d0104ffffffff0100f2052a0100000043410496b538e853519c726a2c91e61ec11600ae13\
    90813a627c66fb8be7947be63c52da7589379515d4e0a604f8141781e62294721166bf621e73a82cbf2342c858ee\
    ac00000000";

/// The index; tests may change its fields while it is served.
pub struct FakeIndex {
    pub tip: AtomicU32,
    pub building: AtomicBool,
    /// Whether the unconfirmed part of the example's history is gone.
    pub mempool_gone: AtomicBool,
    /// Whether every history is too long.
    pub all_too_long: AtomicBool,
    /// Whether questions fail as if the index were busy.
    pub busy: AtomicBool,
    gate: (Mutex<bool>, Condvar),
}

impl Default for FakeIndex {
    fn default() -> FakeIndex {
        FakeIndex {
            tip: AtomicU32::new(8),
            building: AtomicBool::new(false),
            mempool_gone: AtomicBool::new(false),
            all_too_long: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            gate: (Mutex::new(false), Condvar::new()),
        }
    }
}

pub fn bytes(hex: &str) -> Vec<u8> {
    bitcoin::hex::FromHex::from_hex(hex).unwrap()
}

fn id(text: &str) -> Txid {
    text.parse().unwrap()
}

fn header_at(height: usize) -> HeaderBytes {
    bytes(HEADERS.lines().nth(height).unwrap()).try_into().unwrap()
}

impl FakeIndex {
    /// Lets all slow questions continue.
    pub fn open_gate(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }

    fn entries(&self, script: &ScriptHash) -> Answer<Vec<HistoryEntry>> {
        let text = script.to_string();
        if self.busy.load(Ordering::SeqCst) {
            return Err(QueryError::Busy);
        }
        if text == TOO_LONG || self.all_too_long.load(Ordering::SeqCst) {
            return Err(QueryError::TooLong("history too long: over 100000 entries".to_owned()));
        }
        if text == SLOW {
            let open = self.gate.0.lock().unwrap();
            drop(self.gate.1.wait_while(open, |open| !*open).unwrap());
        }
        let many = |count| {
            let (txid, confirmation) = (id(A6C9), Confirmation::Block(Height(7)));
            vec![HistoryEntry { txid, confirmation, fee: None }; count]
        };
        match text.as_str() {
            LARGE => return Ok(many(150_000)),
            TOO_LARGE => return Ok(many(400_000)),
            EXAMPLE => (),
            _ => return Ok(vec![]),
        }
        use Confirmation::*;
        let (two, three) = (Block(Height(2472)), Block(Height(2473)));
        let mut list = vec![(A6C9, two, None), (X9C42, three, None), (X770F, three, None)];
        if !self.mempool_gone.load(Ordering::SeqCst) {
            list.push((X80B1, Mempool, Some(200)));
            list.push((E02A, Mempool, Some(300)));
            list.push((BB4C, MempoolChained, Some(200)));
        }
        let entry = |(txid, confirmation, fee)| HistoryEntry { txid: id(txid), confirmation, fee };
        Ok(list.into_iter().map(entry).collect())
    }
}

impl Answers for FakeIndex {
    fn readiness(&self) -> Readiness {
        match self.building.load(Ordering::SeqCst) {
            true => Readiness::Building,
            false => Readiness::Serving,
        }
    }

    fn fee_histogram(&self) -> Vec<(u64, u64)> {
        vec![]
    }

    fn recent(&self, _count: usize) -> Vec<hekte::query::answers::RecentTx> {
        vec![]
    }

    fn mempool_changed(&self) {}

    fn status_report(&self) -> StatusReport {
        StatusReport { height: self.tip().height.0, ..StatusReport::default() }
    }

    fn tip(&self) -> Tip {
        let height = self.tip.load(Ordering::SeqCst);
        Tip { height: Height(height), header: header_at(height as usize) }
    }

    fn header(&self, height: Height) -> Answer<HeaderBytes> {
        if height > self.tip().height {
            return Err(QueryError::BadRequest(format!("height {height} is above the tip")));
        }
        Ok(header_at(height.0 as usize))
    }

    fn headers(&self, start: Height, count: u32) -> Answer<Vec<HeaderBytes>> {
        let end = self.tip().height.0.min(start.0.saturating_add(count).saturating_sub(1));
        let end = if count == 0 { 0 } else { end.saturating_add(1) };
        Ok((start.0..end).map(|height| header_at(height as usize)).collect())
    }

    fn proven_headers(&self, start: Height, count: u32, cp: Height) -> Answer<ProvenHeaders> {
        let headers = self.headers(start, count)?;
        let Some(more) = (headers.len() as u32).checked_sub(1) else {
            return Ok((headers, None));
        };
        let proof = self.header_proof(Height(start.0 + more), cp)?;
        Ok((headers, Some(proof)))
    }

    fn header_proof(&self, height: Height, cp_height: Height) -> Answer<HeaderProof> {
        if height > cp_height || cp_height > self.tip().height {
            let text = "height <= cp_height <= tip is required".to_owned();
            return Err(QueryError::BadRequest(text));
        }
        let hash = |data: &[u8]| sha256d::Hash::hash(data).to_byte_array();
        let mut level: Vec<_> = (0..=cp_height.0).map(|at| hash(&header_at(at as usize))).collect();
        let (mut at, mut branch) = (height.0 as usize, vec![]);
        while level.len() > 1 {
            if level.len() % 2 == 1 {
                level.push(*level.last().unwrap());
            }
            branch.push(level[at ^ 1]);
            at /= 2;
            level = level.chunks(2).map(|pair| hash(&pair.concat())).collect();
        }
        Ok(HeaderProof { branch, root: level[0] })
    }

    fn history_into(&self, script: &ScriptHash, sink: ListSink<'_, HistoryEntry>) -> Answer<()> {
        let entries = self.entries(script)?;
        sink(entries.len(), &mut entries.into_iter());
        Ok(())
    }

    fn mempool_history(&self, script: &ScriptHash) -> Answer<Vec<HistoryEntry>> {
        if matches!(script.to_string().as_str(), SLOW | LARGE) {
            return Ok(vec![]);
        }
        let mut entries = self.entries(script)?;
        entries.retain(|entry| wire_height(entry.confirmation) <= 0);
        Ok(entries)
    }

    fn status(&self, script: &ScriptHash) -> Answer<Status> {
        let entries = self.entries(script)?;
        let line = |e: &HistoryEntry| format!("{}:{}:", e.txid, wire_height(e.confirmation));
        let text: String = entries.iter().map(line).collect();
        Ok((!text.is_empty()).then(|| Sha256::digest(text).into()))
    }

    fn balance(&self, script: &ScriptHash) -> Answer<Balance> {
        Ok(match self.entries(script)?.is_empty() {
            true => Balance::default(),
            false => Balance { confirmed: 85_000_000, unconfirmed: -5_000_200 },
        })
    }

    fn unspent_into(&self, script: &ScriptHash, sink: ListSink<'_, Coin>) -> Answer<()> {
        if self.entries(script)?.is_empty() {
            sink(0, &mut std::iter::empty());
            return Ok(());
        }
        let coin = |txid, vout, height, value| {
            let outpoint = OutPoint { txid: id(txid), vout };
            Coin { outpoint, height, value }
        };
        let confirmed = coin(X770F, 1, Some(Height(2473)), 40_000_000);
        sink(2, &mut [confirmed, coin(X80B1, 0, None, 30_000_000)].into_iter());
        Ok(())
    }

    fn transaction(&self, txid: &Txid) -> Answer<Vec<u8>> {
        match *txid == id(COINBASE_1) {
            true => Ok(bytes(RAW_1)),
            false => Err(QueryError::NotFound(format!("no transaction {txid}"))),
        }
    }

    fn transaction_verbose(&self, txid: &Txid) -> Answer<VerboseTx> {
        let hex = bitcoin::hex::DisplayHex::to_lower_hex_string(&self.transaction(txid)?[..]);
        let text = r#"{"vout":[{"n":0,"value":50.00000000}],"confirmations":8}"#;
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["txid"] = json!(txid.to_string());
        value["hex"] = json!(hex);
        Ok(VerboseTx::ByNode(value.to_string()))
    }

    fn block_of(&self, txid: &Txid) -> Answer<(HeaderBytes, Height)> {
        self.transaction(txid)?;
        Ok((header_at(1), Height(1)))
    }

    fn merkle_proof(&self, txid: &Txid, height: Height) -> Answer<TxProof> {
        let txid = *txid;
        if txid == id(COINBASE_1) && height.0 == 1 {
            return self.at_position(height, 0);
        }
        if txid != id(X770F) || height.0 != 2473 {
            return Err(QueryError::BadRequest(format!("{txid} is not in block {height}")));
        }
        // the values of the protocol's own example
        let ee43 = "ee43317b1b79a9a6b101df711a26d12a88b1419f63db15161a9fdb587fabae63";
        let branch = [X770F, ee43].map(|hash| id(hash).to_byte_array()).to_vec();
        Ok(TxProof { txid, height, pos: 2, branch })
    }

    fn at_position(&self, height: Height, pos: u32) -> Answer<TxProof> {
        if (height.0, pos) != (1, 0) {
            let text = format!("no transaction at position {pos} of block {height}");
            return Err(QueryError::BadRequest(text));
        }
        Ok(TxProof { txid: id(COINBASE_1), height, pos, branch: vec![] })
    }

    fn outpoint(&self, outpoint: &OutPoint) -> Answer<OutpointStatus> {
        use Confirmation::*;
        let gone = self.mempool_gone.load(Ordering::SeqCst);
        Ok(match (outpoint.txid.to_string().as_str(), outpoint.vout) {
            (A6C9, 0) => OutpointStatus {
                funder: Some(Block(Height(2472))),
                spender: Some((id(X9C42), Block(Height(2473)))),
                script: None,
            },
            (X80B1, 0) if gone => OutpointStatus::default(),
            (X80B1, 0) => OutpointStatus {
                funder: Some(Mempool),
                spender: Some((id(BB4C), MempoolChained)),
                script: None,
            },
            _ => OutpointStatus::default(),
        })
    }
}
