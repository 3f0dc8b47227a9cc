//! What dashboards and probes are told: the counters, and how index, mempool and bitcoind stand.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::host::{beat, memory};
use crate::live::progress::{Progress, Report, Stage};
use crate::live::served::Served;
use crate::mempool::pool::Mempool;
use crate::metrics;
use crate::metrics::page::Page;
use crate::session::hub::SessionHub;
use crate::store::records::RunKind;

/// Fee bands of the mempool's series: 0 to 1 satoshi per virtual byte, 1 to 2, 2 to 4 and so on;
/// the last one takes all above.
const FEE_BANDS: usize = 21;

/// Blocks by which the height shown stays below the tip while hekte is not serving: dashboards that
/// know electrs must not take it for the height of a complete index.
const BELOW_TIP_WHILE_BUILDING: u32 = 10;

/// What the page and the probes are made from.
pub struct Facts {
    /// How far the sync thread is.
    pub progress: Arc<Progress>,
    /// The moment that is served.
    pub live: Arc<Served>,
    /// The sessions, for the number of watched scripts and outpoints.
    pub sessions: Arc<SessionHub>,
    /// The database that is served, and the one that is there during a build.
    pub files: [PathBuf; 2],
}

/// What a probe finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// As it should be.
    Good(String),
    /// Something is wrong; the text says what.
    Bad(String),
}

impl Facts {
    /// Whether all parts make progress; if not, a restart is the mend.
    pub fn health(&self) -> Probe {
        match beat::overdue() {
            None => Probe::Good("alive".into()),
            Some((who, late)) => Probe::Bad(format!("{who}: overdue for {} s", late.as_secs())),
        }
    }

    /// Whether every question is answered.
    pub fn ready(&self) -> Probe {
        let Report { stage, serving, height, target, percent, .. } = self.report();
        if serving {
            return Probe::Good(format!("serving, height={height}"));
        }
        let phase = stage.name();
        Probe::Bad(format!("{phase}, {percent} %, height={height} of {target}"))
    }

    /// The page for Prometheus.
    pub fn metrics(&self) -> String {
        let mut page = Page::default();
        self.sync(&mut page);
        self.index(&mut page);
        self.clients(&mut page);
        self.mempool(&mut page);
        bitcoind(&mut page);
        process(&mut page);
        page.into_text()
    }

    fn report(&self) -> Report {
        self.progress.report(self.live.served_tip())
    }

    fn sync(&self, page: &mut Page) {
        let report = self.report();
        let Report { serving, height, .. } = report;
        let target = report.last_known();
        let safe = match serving {
            true => height,
            false => height.min(target.saturating_sub(BELOW_TIP_WHILE_BUILDING)),
        };
        let help = "Height of the index; below the tip until every question is answered.";
        page.gauges("electrs_index_height", help, "type", [("tip".to_owned(), safe)]);
        let version = [(env!("CARGO_PKG_VERSION").to_owned(), 1)];
        page.gauges("hekte_info", "The program's version.", "version", version);
        page.gauge("hekte_ready", "1 while every question is answered.", u8::from(serving));
        let healthy = u8::from(beat::overdue().is_none());
        page.gauge("hekte_healthy", "1 while all parts make progress.", healthy);
        let now = self.progress.stage().0;
        let phases = Stage::ALL.map(|stage| (stage.name().to_owned(), u8::from(stage == now)));
        page.gauges("hekte_sync_phase", "1 for the present phase.", "phase", phases);
        let help = "How much of the phase is done, 0 to 1.";
        page.gauge("hekte_sync_progress_ratio", help, self.progress.fraction());
        if let Some(left) = report.seconds_left {
            let help = "Time until the phase ends, at its present pace.";
            page.gauge("hekte_sync_remaining_seconds", help, left);
        }
        page.gauge("hekte_tip_height", "The last block indexed.", height);
        page.gauge("hekte_bitcoind_height", "bitcoind's tip, as far as is known.", target);
        page.gauge("hekte_lag_blocks", "Blocks still to be indexed.", target - height);
        let bytes = self.progress.bytes.load(Ordering::Relaxed);
        page.gauge(
            "hekte_sync_block_bytes",
            "Bytes of blocks that this build has read, before restarts too.",
            bytes,
        );
    }

    fn index(&self, page: &mut Page) {
        let size = |path: &PathBuf| fs::metadata(path).map_or(0, |facts| facts.len());
        let files = self.files.iter().map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            (name.into_owned(), size(path))
        });
        page.gauges("hekte_index_bytes", "Size of the databases.", "file", files);
        let snap = self.live.snapshot();
        let count = |kind| snap.runs.iter().filter(|run| run.kind == kind).count();
        let runs = RunKind::ALL.map(|kind| (format!("{kind:?}").to_lowercase(), count(kind)));
        page.gauges("hekte_index_runs", "Runs that questions look into.", "kind", runs);
        let recent = snap.recent.len();
        page.gauge("hekte_recent_blocks", "Newest blocks held in memory.", recent);
        page.gauge("hekte_transactions", "Confirmed transactions served.", snap.table.txs());
    }

    fn clients(&self, page: &mut Page) {
        page.gauge("hekte_clients", "Clients connected.", metrics::CLIENTS.get());
        let accepted = metrics::CLIENTS_ACCEPTED.get();
        page.counter("hekte_clients_accepted_total", "Clients let in.", accepted);
        let refused = metrics::CLIENTS_REFUSED.get();
        page.counter("hekte_clients_refused_total", "Clients turned away, too many.", refused);
        let help = "Scripts and outpoints that clients watch.";
        page.gauge("hekte_subscriptions", help, self.sessions.watched());
        let (read, written) =
            (metrics::CLIENT_BYTES_READ.get(), metrics::CLIENT_BYTES_WRITTEN.get());
        page.counter("hekte_client_read_bytes_total", "Bytes that clients sent.", read);
        page.counter("hekte_client_written_bytes_total", "Bytes sent to clients.", written);
        let help = "Time to answer a question, by method.";
        page.timings("hekte_query_duration_seconds", help, "method", &metrics::QUERIES);
        let errors = metrics::QUERY_ERRORS.get();
        page.counter("hekte_query_errors_total", "Questions that ended in an error.", errors);
    }

    fn mempool(&self, page: &mut Page) {
        // not held while the page is written: the sync thread may be waiting for it
        let (count, bytes, bands) = {
            let pool = self.live.mempool();
            (pool.len(), pool.bytes(), fee_bands(&pool))
        };
        page.gauge("hekte_mempool_transactions", "Unconfirmed transactions known.", count);
        page.gauge("hekte_mempool_bytes", "Memory that they take.", bytes);
        let label = |band: usize| match band {
            0 => format!("[{:20}, {:20})", 0, 1),
            band => format!("[{:20}, {:20})", 1u64 << (band - 1), 1u64 << band),
        };
        let counts = bands.iter().enumerate().map(|(i, band)| (label(i), band.0));
        let help = "Unconfirmed transactions by fee rate, as electrs tells them.";
        page.gauges("electrs_mempool_txs_count", help, "fee_rate", counts);
        let sizes = bands.iter().enumerate().map(|(i, band)| (label(i), band.1));
        let help = "Virtual bytes of unconfirmed transactions by fee rate.";
        page.gauges("electrs_mempool_txs_vsize", help, "fee_rate", sizes);
    }
}

/// Transactions and their virtual bytes in each fee band.
fn fee_bands(pool: &Mempool) -> [(u64, u64); FEE_BANDS] {
    let mut bands = [(0u64, 0u64); FEE_BANDS];
    for tx in pool.iter() {
        let rate = tx.fee / u64::from(tx.vsize.max(1));
        let band = (u64::BITS - rate.leading_zeros()) as usize;
        let band = &mut bands[band.min(FEE_BANDS - 1)];
        band.0 += 1;
        band.1 += u64::from(tx.vsize);
    }
    bands
}

fn bitcoind(page: &mut Page) {
    let help = "Time until bitcoind answered, by method; waitfor* waits for blocks.";
    page.timings("hekte_rpc_duration_seconds", help, "method", &metrics::RPC);
    let failures = metrics::RPC_FAILURES.get();
    page.counter("hekte_rpc_failures_total", "Calls that bitcoind did not answer.", failures);
    let answered = metrics::RPC_ANSWERED.get();
    let help = "When bitcoind answered last, in Unix time; 0 if never.";
    page.gauge("hekte_rpc_last_answer_timestamp_seconds", help, answered);
}

fn process(page: &mut Page) {
    if let Some(rss) = memory::rss_bytes() {
        page.gauge("hekte_memory_bytes", "RAM that the process holds.", rss);
    }
    if let Some((read, written)) = memory::disk_bytes() {
        page.counter("hekte_disk_read_bytes_total", "Bytes read from disks.", read);
        page.counter("hekte_disk_written_bytes_total", "Bytes written to disks.", written);
    }
}
