//! The moment that is served, swapped whole by the sync thread and borrowed by every question.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::host::lock::{lock, read, write};
use crate::ids::{HeaderBytes, Height, Txid};
use crate::limits::IDLE_READERS_MAX;
use crate::mempool::pool::Mempool;
use crate::store::open::Db;
use crate::store::records::RunInfo;

use super::pool_changes::PoolChanges;
use super::recent::RecentBlock;
use super::table::ChainTable;
use super::tip::Tip;
use super::touched::Touched;
use super::wakeup::Wakeup;
use super::watched::WatchedCoins;

/// One consistent moment: the first `disk_blocks` blocks are in the database, the others in memory.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The generation of the database that belongs to this moment.
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
        self.table.blocks().tip()
    }

    /// The last block.
    pub fn newest(&self) -> Tip {
        Tip { height: self.tip().unwrap_or_default(), header: self.tip_header }
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

/// Where headers come from while the index is being built or is catching up.
pub trait HeaderSource: Send + Sync {
    /// The last block indexed.
    fn tip(&self) -> Option<Tip>;
    /// The header at a height that is not above this tip.
    fn header(&self, height: Height) -> Option<HeaderBytes>;
}

/// What `sync` and `query` share.
#[derive(Default)]
pub struct Served {
    snapshot: RwLock<Arc<Snapshot>>,
    serving: AtomicBool,
    building: Mutex<Option<Arc<dyn HeaderSource>>>,
    rescan: AtomicBool,
    damage: Mutex<Option<String>>,
    /// Connections for reading that no question uses at present.
    readers: Mutex<Vec<Db>>,
    /// The snapshot is swapped under the write lock of the mempool, so that the two change
    /// together.
    mempool: RwLock<Mempool>,
    /// The outputs whose spending changes what clients watch.
    pub watched: WatchedCoins,
    /// Wakes the thread that keeps the mempool in step with bitcoind's.
    pub mempool_wakeup: Wakeup,
}

impl Served {
    /// One that remembers at most `watched_coins` coins of watched scripts.
    pub fn with_room_for(watched_coins: usize) -> Served {
        let served = Served::default();
        served.watched.limit_to(watched_coins);
        served
    }

    /// The present moment.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        read(&self.snapshot).clone()
    }

    /// Puts the next moment in force; from now on every question is answered. The transactions of
    /// `confirmed`, the blocks that came since the last moment, leave the mempool in the same swap.
    /// Unconfirmed transactions that spend them are shown with another height now, so their scripts
    /// are touched; those are returned.
    pub fn publish(&self, snapshot: Snapshot, confirmed: &[Arc<RecentBlock>]) -> Touched {
        let mut mempool = write(&self.mempool);
        let left: Vec<&Txid> = confirmed
            .iter()
            .flat_map(|block| block.txids())
            .filter(|txid| mempool.remove(txid).is_some() | mempool.forget_left_out(txid))
            .collect();
        let mut changes = PoolChanges::new(&self.watched);
        left.iter().for_each(|txid| changes.add_dependents_of(&mempool, txid));
        *write(&self.snapshot) = Arc::new(snapshot);
        drop(mempool);
        self.serving.store(true, Ordering::Release);
        *lock(&self.building) = None;
        self.mempool_wakeup.wake();
        changes.finish()
    }

    /// The mempool; no new moment is published while it is held, so hold it briefly.
    pub fn mempool(&self) -> RwLockReadGuard<'_, Mempool> {
        read(&self.mempool)
    }

    /// The mempool, to be changed by the thread that keeps it in step with bitcoind's.
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

    /// Stops serving anything but headers, which come from `source`. Idle connections are closed,
    /// since a build needs the database for itself.
    pub fn build_with(&self, source: Arc<dyn HeaderSource>) {
        *lock(&self.building) = Some(source);
        self.serving.store(false, Ordering::Release);
        lock(&self.readers).clear();
        // a transaction that is confirmed during the build would count twice after it
        *self.mempool_mut() = Mempool::default();
    }

    /// Where headers come from during a build.
    pub fn header_source(&self) -> Option<Arc<dyn HeaderSource>> {
        lock(&self.building).clone()
    }

    /// An idle connection, if there is one.
    pub fn take_reader(&self) -> Option<Db> {
        lock(&self.readers).pop()
    }

    /// Keeps a connection for the next question, unless there are enough or nothing is served.
    pub fn give_back(&self, db: Db) {
        let mut readers = lock(&self.readers);
        if self.serving() && readers.len() < IDLE_READERS_MAX {
            readers.push(db);
        }
    }

    /// Asks the sync thread to look through the files again, after a question met a wrong position.
    pub fn ask_for_rescan(&self) {
        self.rescan.store(true, Ordering::Release);
    }

    /// Notes damage that a question met in the index. The process ends for it, and the next start
    /// builds the index anew.
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
