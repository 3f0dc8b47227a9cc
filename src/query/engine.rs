//! Every question of a session, answered from one view.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, OutPoint, Txid};
use serde_json::{Value, json};

use crate::hash::sha256;
use crate::ids::{HeaderBytes, Height, ScriptHash, TxNum};
use crate::index::extract::is_unspendable;
use crate::live::progress::Progress;
use crate::parse::tx::header;
use crate::store::tables::RunKind;

use super::answers::{
    Answer, Answers, Balance, Coin, Confirmation, HeaderProof, HistoryEntry, OutpointStatus, Phase,
    QueryError, Status, Tip, TxProof,
};
use super::headers::HeaderProofs;
use super::history::{Budget, update};
use super::merkle::prove;
use super::summary::{Summaries, Summary};
use super::tx::{TxPlace, TxReader};
use super::verbose::{Mined, decode};
use super::view::{View, Views};

/// What a question may cost, and what is kept for the next.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Transactions in one history.
    pub max_history: u32,
    /// Time for one question.
    pub query_time: Duration,
    /// Bytes of summaries kept.
    pub summary_bytes: usize,
}

/// Answers from the index.
pub struct Engine {
    views: Views,
    costs: Costs,
    summaries: Summaries,
    proofs: HeaderProofs,
    progress: Arc<Progress>,
}

impl Engine {
    /// An engine over those views.
    pub fn new(views: Views, costs: Costs, progress: Arc<Progress>) -> Engine {
        let summaries = Summaries::new(costs.summary_bytes);
        Engine { views, costs, summaries, proofs: HeaderProofs::default(), progress }
    }

    fn budget(&self) -> Budget {
        Budget {
            postings: self.costs.max_history,
            deadline: Instant::now() + self.costs.query_time,
            seconds: self.costs.query_time.as_secs(),
        }
    }

    /// Calls `tell` with the up-to-date summary of a script.
    fn with_summary<T>(
        &self,
        script: &ScriptHash,
        tell: impl FnOnce(&View<'_>, &Summary) -> Answer<T>,
    ) -> Answer<T> {
        // before the view is opened: who waits here must not hold a read transaction meanwhile
        let slot = self.summaries.get(script);
        let mut summary = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let view = self.views.open()?;
        let updated = update(&view, script, &mut summary, &self.budget());
        self.summaries.weigh(script, &summary);
        updated?;
        tell(&view, &summary)
    }

    fn found(&self, view: &View<'_>, txid: &Txid) -> Answer<(TxNum, TxPlace)> {
        let found = TxReader::new(view).find(&txid.to_byte_array())?;
        found.last().copied().ok_or_else(|| {
            QueryError::NotFound(format!("no such transaction in the chain or mempool: {txid}"))
        })
    }
}

impl Answers for Engine {
    fn phase(&self) -> Phase {
        if self.views.shared().serving() { Phase::Serving } else { Phase::Building }
    }

    fn report(&self) -> Value {
        let serving = self.views.shared().serving();
        let told = self.progress.told();
        let height = if serving { self.tip().height.0 } else { told.height };
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "phase": told.phase,
            "height": height,
            "target": told.target.max(height),
            "percent": told.percent,
            "seconds_in_phase": told.seconds,
            "synced": serving,
        })
    }

    fn tip(&self) -> Tip {
        let shared = self.views.shared();
        if shared.serving() {
            let snap = shared.snapshot();
            return Tip { height: snap.tip().unwrap_or_default(), header: snap.tip_header };
        }
        let source = shared.header_source();
        let (height, header) = source
            .and_then(|source| source.tip())
            .unwrap_or((Height(0), self.views.params().genesis_header));
        Tip { height, header }
    }

    fn header(&self, height: Height) -> Answer<HeaderBytes> {
        let mut headers = self.headers(height, 1)?;
        headers.pop().ok_or_else(|| {
            let tip = self.tip().height;
            QueryError::BadRequest(format!("height {height} is above the tip, which is at {tip}"))
        })
    }

    fn headers(&self, start: Height, count: u32) -> Answer<Vec<HeaderBytes>> {
        let shared = self.views.shared();
        if shared.serving() {
            return self.views.open()?.headers(start, count);
        }
        let tip = self.tip().height;
        let end = start.0.saturating_add(count).min(tip.0 + 1);
        let source = shared.header_source();
        let genesis = self.views.params().genesis_header;
        let header = |height| match (&source, height) {
            (_, 0) => Ok(genesis),
            (Some(source), _) => source.header(Height(height)).ok_or(QueryError::Building),
            (None, _) => Err(QueryError::Building),
        };
        (start.0..end).map(header).collect()
    }

    fn header_proof(&self, height: Height, cp_height: Height) -> Answer<HeaderProof> {
        let view = self.views.open()?;
        self.proofs.prove(&view, height, cp_height)
    }

    fn history(&self, script: &ScriptHash) -> Answer<Vec<HistoryEntry>> {
        self.with_summary(script, |_, summary| {
            let entry = |entry: &super::summary::Entry| HistoryEntry {
                txid: Txid::from_byte_array(entry.txid),
                confirmation: Confirmation::Block(entry.height),
                fee: None,
            };
            Ok(summary.entries.iter().map(entry).collect())
        })
    }

    fn mempool_history(&self, _script: &ScriptHash) -> Answer<Vec<HistoryEntry>> {
        self.views.open()?;
        Ok(Vec::new())
    }

    fn status(&self, script: &ScriptHash) -> Answer<Status> {
        self.with_summary(script, |_, summary| Ok(summary.status(std::iter::empty())))
    }

    fn balance(&self, script: &ScriptHash) -> Answer<Balance> {
        self.with_summary(script, |_, summary| {
            Ok(Balance { confirmed: summary.balance(), unconfirmed: 0 })
        })
    }

    fn unspent(&self, script: &ScriptHash) -> Answer<Vec<Coin>> {
        self.with_summary(script, |_, summary| {
            let coin =
                |((txid, vout), coin): (super::summary::OutRef, super::summary::Unspent)| Coin {
                    outpoint: OutPoint { txid: Txid::from_byte_array(txid), vout },
                    height: Some(coin.height),
                    value: coin.value,
                };
            Ok(summary.unspent().into_iter().map(coin).collect())
        })
    }

    fn transaction(&self, txid: &Txid) -> Answer<Vec<u8>> {
        let view = self.views.open()?;
        let (_, place) = self.found(&view, txid)?;
        Ok(TxReader::new(&view).bytes(&place)?.to_vec())
    }

    fn transaction_verbose(&self, txid: &Txid) -> Answer<Value> {
        let view = self.views.open()?;
        let (_, place) = self.found(&view, txid)?;
        let header = view.header(place.height)?;
        let mined = Mined {
            block_hash: BlockHash::from_byte_array(header::hash(&header)).to_string(),
            confirmations: view.tip().0 - place.height.0 + 1,
            time: header::time(&header),
        };
        let mut reader = TxReader::new(&view);
        decode(reader.bytes(&place)?, self.views.params().network, Some(mined))
    }

    fn block_of(&self, txid: &Txid) -> Answer<(BlockHash, Height)> {
        let view = self.views.open()?;
        let (_, place) = self.found(&view, txid)?;
        let hash = header::hash(&view.header(place.height)?);
        Ok((BlockHash::from_byte_array(hash), place.height))
    }

    fn merkle_proof(&self, txid: &Txid, height: Height) -> Answer<TxProof> {
        let view = self.views.open()?;
        let height = view.checked_height(height)?;
        let found = TxReader::new(&view).find(&txid.to_byte_array())?;
        let here = found.iter().find(|(_, place)| place.height == height);
        let (txnum, place) = here.ok_or_else(|| {
            QueryError::BadRequest(format!("transaction {txid} is not in block {height}"))
        })?;
        prove(&view, height, txnum.0 - place.block.first.0)
    }

    fn at_position(&self, height: Height, pos: u32) -> Answer<TxProof> {
        prove(&self.views.open()?, height, pos)
    }

    fn outpoint(&self, outpoint: &OutPoint) -> Answer<OutpointStatus> {
        let view = self.views.open()?;
        let txid = outpoint.txid.to_byte_array();
        let mut reader = TxReader::new(&view);
        let Some((funder, place)) = reader.find(&txid)?.last().copied() else {
            return Ok(OutpointStatus::default());
        };
        let script = match reader.tx(&place)?.0.outputs().nth(outpoint.vout as usize) {
            Some(output) => output.script.to_vec(),
            None => return Ok(OutpointStatus::default()),
        };
        let mut status =
            OutpointStatus { funder: Some(Confirmation::Block(place.height)), spender: None };
        if is_unspendable(&script) {
            return Ok(status);
        }
        let budget = self.budget();
        let prefix = ScriptHash(sha256(&script)).prefix();
        let limit = budget.postings as usize;
        let later = view.find(RunKind::Script, prefix, TxNum(funder.0 + 1), limit)?;
        for (i, txnum) in later.iter().enumerate() {
            budget.check_time()?;
            if i >= limit {
                return Err(QueryError::TooLong(format!(
                    "history too large: the spender is not among the next {limit} transactions \
                     of the script"
                )));
            }
            let place = reader.place(*txnum)?;
            let (tx, spender) = reader.tx(&place)?;
            if tx.inputs().any(|input| *input.txid == txid && input.vout == outpoint.vout) {
                let spender = Txid::from_byte_array(spender);
                status.spender = Some((spender, Confirmation::Block(place.height)));
                break;
            }
        }
        Ok(status)
    }
}

/// An engine that sessions share.
pub type SharedEngine = Arc<Engine>;
