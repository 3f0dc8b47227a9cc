//! Keeps the mempool in step with bitcoind's: new transactions are fetched in bounded batches,
//! those that are gone are taken out, and both only while hekte and bitcoind are at the same tip.

use std::sync::Arc;
use std::time::Duration;

use log::{info, warn};

use crate::error::Result;
use crate::host::beat::{self, Beat};
use crate::host::stop::StopToken;
use crate::ids::{BlockHash, Txid};
use crate::limits::MEMPOOL_BATCH;
use crate::live::pool_changes::PoolChanges;
use crate::live::served::Served;
use crate::live::touched::Touched;
use crate::mempool::compare::{Difference, difference};
use crate::mempool::pool::{MemTx, Mempool};
use crate::node::rpc::Rpc;
use crate::parse::bytes::Cursor;
use crate::parse::tx::{TxView, header};

/// Looks at bitcoind's mempool now and then.
pub struct MempoolSync {
    /// bitcoind, on a connection of its own.
    pub node: Rpc,
    /// The moment that is served, and the mempool that belongs to it.
    pub served: Arc<Served>,
    /// When to stop.
    pub stop: StopToken,
    /// Bytes that the mempool may take.
    pub bytes_max: usize,
    /// Called with the scripts and transactions that a change touched.
    pub on_change: Box<dyn Fn(Touched) + Send>,
}

/// The outcome of one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MempoolLook {
    /// The mempools are in step.
    Same,
    /// The tips differ, or one of them moved during the look: another look follows soon.
    Again,
}

impl MempoolSync {
    /// Keeps the mempool in step until told to stop.
    pub fn run(mut self) {
        Beat::new("the thread that reads the mempool").speak_for_this_thread();
        let mut away = false;
        while !self.stop.is_requested() {
            beat::step();
            if !self.served.serving() {
                self.served.mempool_wakeup.wait(Duration::from_millis(200));
                continue;
            }
            let wait = match self.look() {
                Ok(look) => {
                    if std::mem::take(&mut away) {
                        info!("bitcoind's mempool can be read again");
                    }
                    match look {
                        MempoolLook::Same => self.interval(),
                        MempoolLook::Again => Duration::from_millis(20),
                    }
                }
                Err(error) => {
                    if !away {
                        warn!(
                            "bitcoind's mempool cannot be read, so unconfirmed payments are not \
                             seen or may be old ones: {error}"
                        );
                    }
                    away = true;
                    Duration::from_secs(2)
                }
            };
            self.served.mempool_wakeup.wait(wait);
        }
    }

    /// The time until the next look. A list of 300 000 txids is 20 MB, so the longer the list is,
    /// the less often it is asked for.
    fn interval(&self) -> Duration {
        match self.served.mempool().len() {
            0..5_000 => Duration::from_secs(1),
            5_000..50_000 => Duration::from_secs(5),
            _ => Duration::from_secs(30),
        }
    }

    fn look(&mut self) -> Result<MempoolLook> {
        let Some(tip) = self.common_tip()? else { return Ok(MempoolLook::Again) };
        // the list is sorted in place, since a set would hold all txids a second time
        let mut theirs = self.node.mempool_txids()?;
        theirs.sort_unstable();
        let found = {
            let pool = self.served.mempool();
            let room = pool.bytes() < self.bytes_max / 10 * 8;
            difference(&pool, &theirs, room)
        };
        drop(theirs);
        if found.is_empty() {
            return Ok(MempoolLook::Same);
        }
        let Difference { mut gone, new } = found;
        let batches = new.chunks(MEMPOOL_BATCH).chain(new.is_empty().then_some(&[][..]));
        for batch in batches {
            let fetched = self.fetch(batch)?;
            // a block may have come meanwhile: its transactions are gone from bitcoind's mempool,
            // but are not confirmed here yet
            if self.stop.is_requested() || self.common_tip()? != Some(tip) {
                return Ok(MempoolLook::Again);
            }
            match self.apply(&std::mem::take(&mut gone), fetched, tip) {
                Some(touched) => (self.on_change)(touched),
                None => return Ok(MempoolLook::Again),
            }
        }
        Ok(MempoolLook::Same)
    }

    /// The tip, if bitcoind's and ours are the same.
    fn common_tip(&self) -> Result<Option<BlockHash>> {
        let theirs = self.node.blockchain_info()?.best_block_hash;
        let ours = header::hash(&self.served.snapshot().tip_header);
        Ok((theirs == ours).then_some(ours))
    }

    fn fetch(&self, txids: &[Txid]) -> Result<Vec<MemTx>> {
        let mut fetched = Vec::with_capacity(txids.len());
        for (found, txid) in self.node.mempool_transactions(txids)?.into_iter().zip(txids) {
            // a transaction that is gone meanwhile is left out
            let Some(found) = found else { continue };
            let mut cursor = Cursor::new(&found.raw);
            match TxView::read(&mut cursor) {
                Ok(tx) if cursor.left() == 0 && tx.txid() == *txid => {
                    fetched.push(MemTx::new(&tx, found.fee, found.vsize));
                }
                _ => warn!("bitcoind sent a mempool transaction that cannot be read"),
            }
        }
        Ok(fetched)
    }

    /// Changes the mempool and returns what that touched; `None` if the tip has moved, and
    /// nothing was changed.
    fn apply(&self, gone: &[Txid], fetched: Vec<MemTx>, tip: BlockHash) -> Option<Touched> {
        let mut pool = self.served.mempool_mut();
        if header::hash(&self.served.snapshot().tip_header) != tip {
            return None;
        }
        let mut changes = PoolChanges::new(&self.served.watched);
        for txid in gone {
            match pool.remove(txid) {
                Some(tx) => changes.add(&pool, &tx),
                None if pool.forget_left_out(txid) => changes.add_dependents_of(&pool, txid),
                None => {}
            }
        }
        for tx in fetched {
            changes.add(&pool, &tx);
            pool.insert(tx);
        }
        trim(&mut pool, self.bytes_max, &mut changes);
        drop(pool);
        Some(changes.finish())
    }
}

/// Leaves out the transactions of the lowest fee rates if the mempool is over its budget.
fn trim(pool: &mut Mempool, bytes_max: usize, changes: &mut PoolChanges<'_>) {
    if pool.bytes() <= bytes_max {
        return;
    }
    let mut by_rate: Vec<(u64, Txid)> = pool
        .iter()
        .map(|tx| (tx.fee.saturating_mul(1000) / u64::from(tx.vsize), tx.txid))
        .collect();
    by_rate.sort_unstable();
    let before = pool.len();
    for (_, txid) in by_rate {
        // this goes a tenth below the budget, so that it is not done for every new transaction
        if pool.bytes() <= bytes_max / 10 * 9 {
            break;
        }
        if let Some(tx) = pool.leave_out(&txid) {
            changes.add(pool, &tx);
        }
    }
    info!(
        "the mempool is larger than the memory for it: {} transactions of the lowest fee rates \
         are left out (raise --memory to see them)",
        before - pool.len()
    );
}
