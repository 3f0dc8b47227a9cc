//! What all parts of the sync thread work with: the files, bitcoind, and where they report.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use crate::error::Result;
use crate::host::beat;
use crate::host::stop::StopToken;
use crate::live::progress::Progress;
use crate::live::served::Served;
use crate::live::tip::TipChange;
use crate::node::rpc::Rpc;

use super::blocks::load::BlockLoader;
use super::build::headers::StoredHeaders;
use super::served::index::ServedIndex;

/// Checks that a bitcoind is the one that is meant and can do what is needed.
pub type NodeCheck = Box<dyn Fn(&Rpc) -> Result<()> + Send>;

/// What the driver lends to a build, and to the part that follows bitcoind.
pub struct SyncContext {
    /// Folder of the databases.
    pub folder: PathBuf,
    /// The block files, and with them the network.
    pub loader: Arc<BlockLoader>,
    /// The moment that questions are answered from.
    pub served: Arc<Served>,
    /// bitcoind; `None` offline.
    pub node: Option<Rpc>,
    /// Checks that bitcoind is the one that is meant and can do what is needed.
    pub check_node: NodeCheck,
    /// Called with each published tip.
    pub on_tip: Box<dyn Fn(TipChange) + Send>,
    /// How far the work is, to be reported.
    pub progress: Arc<Progress>,
    /// When to stop.
    pub stop: StopToken,
}

impl SyncContext {
    /// Sleeps for `time`, or until a stop is requested.
    pub fn pause(&self, time: Duration) {
        let step = Duration::from_millis(100);
        let mut left = time;
        while !left.is_zero() && !self.stop.is_requested() {
            beat::step();
            thread::sleep(step.min(left));
            left = left.saturating_sub(step);
        }
    }

    /// Reports that the index holds all the blocks there are.
    pub fn report_complete(&self, index: &ServedIndex) {
        self.progress.blocks.store(index.blocks().0, Ordering::Relaxed);
        self.progress.target.store(index.blocks().0, Ordering::Relaxed);
    }

    /// Answers questions about headers from a finished index that is not served yet.
    pub fn answer_headers_only(&self, index: &ServedIndex) {
        self.report_complete(index);
        self.served.build_with(Arc::new(StoredHeaders {
            snapshot: index.snapshot().clone(),
            loader: self.loader.clone(),
        }));
    }
}
