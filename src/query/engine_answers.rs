//! Implements [`Answers`] for the engine: each question is answered from one moment.

use std::collections::HashSet;
use std::sync::Arc;

use crate::ids::{HeaderBytes, Height, OutPoint, ScriptHash, Txid};
use crate::live::tip::Tip;
use crate::mempool::effect::{MempoolEffect, PoolEntry};
use crate::mempool::histogram::fee_histogram;
use crate::mempool::pool::MemTx;
use crate::parse::tx::header;

use super::answers::{
    Answer, Answers, Balance, Coin, Confirmation, HeaderProof, HistoryEntry, ListSink,
    OutpointStatus, ProvenHeaders, QueryError, Readiness, RecentTx, Status, StatusReport, TxProof,
};
use super::decoded::{Mined, VerboseTx, decode};
use super::engine::{Engine, MOMENT_TRIES};
use super::merkle::prove;
use super::node_tx::unknown;
use super::outpoint;
use super::summary::Summary;
use super::tx::{TxPlace, TxReader};
use super::view::View;

fn unconfirmed(entry: &PoolEntry) -> HistoryEntry {
    let confirmation =
        if entry.chained { Confirmation::MempoolChained } else { Confirmation::Mempool };
    HistoryEntry { txid: entry.txid, confirmation, fee: Some(entry.fee) }
}

impl Engine {
    /// Finds the newest confirmed transaction with that txid and calls `tell` with its place and
    /// with the reader, which still holds the bytes that were read to find it. `None` if the chain
    /// has no transaction with that txid.
    fn confirmed<T>(
        &self,
        txid: &Txid,
        tell: impl FnOnce(&View<'_>, &mut TxReader<'_>, &TxPlace) -> Answer<T>,
    ) -> Answer<Option<T>> {
        let view = self.views.open()?;
        let mut reader = TxReader::new(&view);
        let found = reader.find(txid)?;
        found.last().map(|(_, place)| tell(&view, &mut reader, place)).transpose()
    }
}

impl Answers for Engine {
    fn readiness(&self) -> Readiness {
        if self.views.served().serving() { Readiness::Serving } else { Readiness::Building }
    }

    fn status_report(&self) -> StatusReport {
        let served = self.views.served();
        let report = self.progress.report(served.served_tip());
        StatusReport {
            version: env!("CARGO_PKG_VERSION"),
            phase: report.stage.name(),
            height: report.height,
            target: report.last_known(),
            percent: report.percent,
            seconds_in_phase: report.seconds,
            seconds_left: report.seconds_left,
            bytes_per_second: report.bytes_per_second,
            runs: served.snapshot().runs.len() / 2,
            synced: report.serving,
            trouble: report.trouble,
        }
    }

    fn tip(&self) -> Tip {
        let served = self.views.served();
        if served.serving() {
            return served.snapshot().newest();
        }
        match served.header_source() {
            // the build ended between the two looks: the snapshot has the tip by now
            None if served.serving() => self.tip(),
            source => {
                let genesis = self.views.params().genesis_header;
                let genesis = Tip { height: Height(0), header: genesis };
                source.and_then(|source| source.tip()).unwrap_or(genesis)
            }
        }
    }

    fn header(&self, height: Height) -> Answer<HeaderBytes> {
        let mut headers = self.headers(height, 1)?;
        headers.pop().ok_or_else(|| {
            let tip = self.tip().height;
            QueryError::BadRequest(format!("height {height} is above the tip, which is at {tip}"))
        })
    }

    fn headers(&self, start: Height, count: u32) -> Answer<Vec<HeaderBytes>> {
        let served = self.views.served();
        if served.serving() {
            return self.views.open()?.headers(start, count);
        }
        let tip = self.tip().height;
        let end = start.0.saturating_add(count).min(tip.0 + 1);
        let source = served.header_source();
        let genesis = self.views.params().genesis_header;
        let header = |height| match (&source, height) {
            (_, 0) => Ok(genesis),
            (Some(source), _) => source.header(Height(height)).ok_or(QueryError::Building),
            (None, _) => Err(QueryError::Building),
        };
        (start.0..end).map(header).collect()
    }

    fn proven_headers(
        &self,
        start: Height,
        count: u32,
        cp_height: Height,
    ) -> Answer<ProvenHeaders> {
        let view = self.views.open()?;
        let headers = view.headers(start, count)?;
        let Some(more) = (headers.len() as u32).checked_sub(1) else {
            return Ok((headers, None));
        };
        let proof = self.proofs.prove(&view, Height(start.0 + more), cp_height)?;
        Ok((headers, Some(proof)))
    }

    fn header_proof(&self, height: Height, cp_height: Height) -> Answer<HeaderProof> {
        let view = self.views.open()?;
        self.proofs.prove(&view, height, cp_height)
    }

    fn history_into(&self, script: &ScriptHash, sink: ListSink<'_, HistoryEntry>) -> Answer<()> {
        let pick = |_: &Summary, effect: MempoolEffect| effect.entries;
        self.with_script_after(script, pick, |summary, pool| {
            let confirmed = summary.entries.iter().map(|entry| HistoryEntry {
                txid: entry.txid,
                confirmation: Confirmation::Block(entry.height),
                fee: None,
            });
            let count = summary.entries.len() + pool.len();
            sink(count, &mut confirmed.chain(pool.iter().map(unconfirmed)));
            Ok(())
        })
    }

    fn mempool_history(&self, script: &ScriptHash) -> Answer<Vec<HistoryEntry>> {
        self.with_script(script, |_, effect| Ok(effect.entries.iter().map(unconfirmed).collect()))
    }

    fn status(&self, script: &ScriptHash) -> Answer<Status> {
        self.with_script(script, |summary, effect| {
            // a client that asks for the status watches the script, so note the coins whose
            // spending would change the status
            let coins = summary.coins.keys().chain(effect.coins.iter().map(|(out, _)| out));
            self.views.served().watched.note(script.prefix(), coins);
            let tail = effect.entries.iter();
            Ok(summary.status(tail.map(|entry| (entry.txid, -i64::from(entry.chained)))))
        })
    }

    fn balance(&self, script: &ScriptHash) -> Answer<Balance> {
        self.with_script(script, |summary, effect| {
            Ok(Balance { confirmed: summary.balance(), unconfirmed: effect.delta })
        })
    }

    fn unspent_into(&self, script: &ScriptHash, sink: ListSink<'_, Coin>) -> Answer<()> {
        let pick = |_: &Summary, effect: MempoolEffect| effect;
        self.with_script_after(script, pick, |summary, effect| {
            let spent: HashSet<&OutPoint> = effect.spent.iter().collect();
            let confirmed = summary.unspent().into_iter().filter(|(out, _)| !spent.contains(out));
            let coin = |outpoint, height, value| Coin { outpoint, height, value };
            let confirmed = confirmed.map(|(out, c)| coin(out, Some(c.height), c.value));
            let pool = effect.coins.iter().map(|(out, value)| coin(*out, None, *value));
            // an upper bound: confirmed coins that the mempool spends are in it, but not in the
            // list
            let count = summary.coins.len() + effect.coins.len();
            sink(count, &mut confirmed.chain(pool));
            Ok(())
        })
    }

    fn transaction(&self, txid: &Txid) -> Answer<Vec<u8>> {
        // the view is closed before bitcoind is asked, since bitcoind may take long to answer
        match self.confirmed(txid, |_, reader, place| Ok(reader.tx(place)?.0.bytes().to_vec()))? {
            Some(raw) => Ok(raw),
            None => self.unconfirmed.raw(txid),
        }
    }

    fn transaction_verbose(&self, txid: &Txid) -> Answer<VerboseTx> {
        let decoded = self.confirmed(txid, |view, reader, place| {
            let header = view.header(place.height)?;
            let mined = Mined {
                block_hash: header::hash(&header),
                confirmations: view.tip().0 - place.height.0 + 1,
                time: header::time(&header),
            };
            let (tx, _) = reader.tx(place)?;
            let decoded = decode(tx.bytes(), self.views.params().network, mined);
            decoded.map_err(|error| {
                QueryError::Internal(format!("transaction cannot be decoded: {error}"))
            })
        })?;
        match decoded {
            Some(decoded) => Ok(decoded),
            None => Ok(VerboseTx::ByNode(self.unconfirmed.decoded(txid)?)),
        }
    }

    fn block_of(&self, txid: &Txid) -> Answer<(HeaderBytes, Height)> {
        let block = |view: &View<'_>, _: &mut TxReader<'_>, place: &TxPlace| {
            Ok((view.header(place.height)?, place.height))
        };
        self.confirmed(txid, block)?.ok_or_else(|| unknown(txid))
    }

    fn merkle_proof(&self, txid: &Txid, height: Height) -> Answer<TxProof> {
        let view = self.views.open()?;
        let height = view.checked_height(height)?;
        let mut reader = TxReader::new(&view);
        let found = reader.find(txid)?;
        let here = found.iter().find(|(_, place)| place.height == height);
        let (txnum, place) = here.ok_or_else(|| {
            QueryError::BadRequest(format!("transaction {txid} is not in block {height}"))
        })?;
        let pos = txnum.offset_from(place.block.first).unwrap_or_default();
        prove(&view, &mut reader, height, pos)
    }

    fn at_position(&self, height: Height, pos: u32) -> Answer<TxProof> {
        let view = self.views.open()?;
        prove(&view, &mut TxReader::new(&view), height, pos)
    }

    fn outpoint(&self, outpoint: &OutPoint) -> Answer<OutpointStatus> {
        let limit = self.search_limit();
        for _ in 0..MOMENT_TRIES {
            let view = self.views.open()?;
            let confirmed = outpoint::confirmed(&view, outpoint, &limit)?;
            let served = self.views.served();
            let pool = served.mempool();
            if Arc::ptr_eq(&view.snap, &served.snapshot()) {
                let status = outpoint::with_mempool(confirmed, outpoint, &pool);
                // the client may watch this outpoint, whose spending would change the status
                let buried = matches!(status.spender, Some((_, Confirmation::Block(_))));
                if let (Some(script), false) = (status.script, buried) {
                    served.watched.note(script, std::iter::once(outpoint));
                }
                return Ok(status);
            }
        }
        Err(QueryError::Busy)
    }

    fn fee_histogram(&self) -> Vec<(u64, u64)> {
        fee_histogram(&self.views.served().mempool())
    }

    fn recent(&self, count: usize) -> Vec<RecentTx> {
        let pool = self.views.served().mempool();
        let mut newest: Vec<_> = pool.iter().collect();
        newest.sort_unstable_by_key(|tx| std::cmp::Reverse(tx.arrival));
        newest.truncate(count);
        let recent = |tx: &MemTx| RecentTx { txid: tx.txid, fee: tx.fee, vsize: tx.vsize };
        newest.into_iter().map(recent).collect()
    }

    fn mempool_changed(&self) {
        self.views.served().mempool_wakeup.wake();
    }
}
