//! The moment that is served, swapped whole by the sync thread and borrowed by every question.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::host::lock::{lock, read, write};
use crate::ids::{HeaderBytes, Height, Txid};
use crate::limits::IDLE_READERS_MAX;
use crate::mempool::pool::Mempool;
use crate::store::open::Db;
use crate::store::records::RunInfo;

use super::recent::RecentBlock;
use super::table::ChainTable;
use super::touch::Touch;
use super::touched::Touched;
use super::wakeup::Wakeup;
use super::watched::WatchedCoins;

/// One consistent moment: what is in the database up to `disk_blocks`, the rest in memory.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The database's generation that this belongs to.
    pub generation: i64,
    /// Blocks in the database.
    pub disk_blocks: u32,
    /// Transactions in the database.
    pub disk_txs: u32,
    /// The runs in force.
    pub runs: Arc<Vec<RunInfo>>,
    /// Every block, those in memory included.
    pub table: ChainTable,
    /// The blocks behind `disk_blocks`, in order.
    pub recent: Vec<Arc<RecentBlock>>,
    /// Header of the last block.
    pub tip_header: HeaderBytes,
}

impl Snapshot {
    /// Height of the last block.
    pub fn tip(&self) -> Option<Height> {
        self.table.blocks().checked_sub(1).map(Height)
    }

    /// The block in memory at a height.
    pub fn recent_at(&self, height: Height) -> Option<&Arc<RecentBlock>> {
        self.recent.get(height.0.checked_sub(self.disk_blocks)? as usize)
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Snapshot {
            generation: 0,
            disk_blocks: 0,
            disk_txs: 0,
            runs: Arc::default(),
            table: ChainTable::default(),
            recent: Vec::new(),
            tip_header: [0; 80],
        }
    }
}

/// How headers are answered while the index is being built.
pub trait HeaderSource: Send + Sync {
    /// Height up to which blocks are indexed, with its header.
    fn tip(&self) -> Option<(Height, HeaderBytes)>;
    /// The header at a height at or below it.
    fn header(&self, height: Height) -> Option<HeaderBytes>;
}

/// What sync and query share.
#[derive(Default)]
pub struct Served {
    snapshot: RwLock<Arc<Snapshot>>,
    serving: AtomicBool,
    building: Mutex<Option<Arc<dyn HeaderSource>>>,
    rescan: AtomicBool,
    damage: Mutex<Option<String>>,
    /// Connections for reading that nobody uses just now.
    readers: Mutex<Vec<Db>>,
    /// Changes together with the snapshot: a snapshot is swapped under its write lock.
    mempool: RwLock<Mempool>,
    /// What is spent here may change what a client watches.
    pub watched: WatchedCoins,
    /// Wakes whoever keeps the mempool in step.
    pub mempool_wakeup: Wakeup,
}

impl Served {
    /// One that remembers no more than so many coins of watched scripts.
    pub fn with_room_for(watched_coins: usize) -> Served {
        let served = Served::default();
        served.watched.limit_to(watched_coins);
        served
    }

    /// The present moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        read(&self.snapshot).clone()
    }

    /// The next moment; from now on every question is answered. `confirmed`: blocks that came
    /// since the last one, whose transactions leave the mempool in the same swap. What is left
    /// there of their dependents is shown with another height now: those are touched, in the
    /// sense of [`Touch`].
    pub fn publish(&self, snapshot: Snapshot, confirmed: &[Arc<RecentBlock>]) -> Touched {
        let mut mempool = write(&self.mempool);
        let left: Vec<&Txid> = confirmed
            .iter()
            .flat_map(|block| block.txids())
            .filter(|txid| mempool.remove(txid).is_some() | mempool.forget_left_out(txid))
            .collect();
        let mut touch = Touch::new(&self.watched);
        left.iter().for_each(|txid| touch.dependents_of(&mempool, txid));
        *write(&self.snapshot) = Arc::new(snapshot);
        drop(mempool);
        self.serving.store(true, Ordering::Release);
        *lock(&self.building) = None;
        self.mempool_wakeup.wake();
        touch.finish()
    }

    /// The mempool; no new moment is published while it is held, so hold it briefly.
    pub fn mempool(&self) -> RwLockReadGuard<'_, Mempool> {
        read(&self.mempool)
    }

    /// The mempool, for who keeps it in step.
    pub fn mempool_mut(&self) -> RwLockWriteGuard<'_, Mempool> {
        write(&self.mempool)
    }

    /// Whether every question is answered.
    pub fn serving(&self) -> bool {
        self.serving.load(Ordering::Acquire)
    }

    /// The height of the tip that is served; `None` while only headers are.
    pub fn served_tip(&self) -> Option<Height> {
        self.serving().then(|| self.snapshot().tip().unwrap_or_default())
    }

    /// Stops serving anything but headers, which come from `source`. Readers are closed: a build
    /// wants the database for itself.
    pub fn build_with(&self, source: Arc<dyn HeaderSource>) {
        *lock(&self.building) = Some(source);
        self.serving.store(false, Ordering::Release);
        lock(&self.readers).clear();
        // what is confirmed by the time of the next moment must not count twice
        *self.mempool_mut() = Mempool::default();
    }

    /// Where headers come from during a build.
    pub fn header_source(&self) -> Option<Arc<dyn HeaderSource>> {
        lock(&self.building).clone()
    }

    /// A connection that was used before.
    pub fn take_reader(&self) -> Option<Db> {
        lock(&self.readers).pop()
    }

    /// Keeps a connection for the next question.
    pub fn give_back(&self, db: Db) {
        let mut readers = lock(&self.readers);
        if self.serving() && readers.len() < IDLE_READERS_MAX {
            readers.push(db);
        }
    }

    /// A question met a wrong position: asks the sync thread to look through the files again.
    pub fn ask_for_rescan(&self) {
        self.rescan.store(true, Ordering::Release);
    }

    /// A question met damage in the index: the process should end, and build the index anew.
    pub fn report_damage(&self, why: String) {
        lock(&self.damage).get_or_insert(why);
    }

    /// The first damage that a question met.
    pub fn damage(&self) -> Option<String> {
        lock(&self.damage).clone()
    }

    /// Whether a rescan was asked for since the last call.
    pub fn take_rescan(&self) -> bool {
        self.rescan.swap(false, Ordering::AcqRel)
    }
}
