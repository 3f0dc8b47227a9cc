//! Keeping the mempool in step with bitcoind's: what is new is fetched in bounded batches, what is
//! gone is taken out, and only while both are at the same tip.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::hashes::Hash;
use log::{info, warn};

use crate::error::Result;
use crate::host::beat::{self, Beat};
use crate::ids::Prefix;
use crate::limits::MEMPOOL_BATCH;
use crate::live::progress::Progress;
use crate::live::shared::Shared;
use crate::mempool::pool::{MemTx, Mempool};
use crate::node::rpc::Rpc;
use crate::parse::bytes::Cursor;
use crate::parse::tx::{TxView, header};

/// Looks at bitcoind's mempool now and then.
pub struct MempoolSync {
    /// bitcoind, on a connection of its own.
    pub node: Rpc,
    /// Where the mempool is.
    pub shared: Arc<Shared>,
    /// When to stop.
    pub progress: Arc<Progress>,
    /// Bytes that the mempool may take.
    pub bytes_max: usize,
    /// Told of the scripts that a change touched; `None`: any may be.
    pub on_change: Box<dyn Fn(Option<Vec<Prefix>>) + Send>,
}

/// What one look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// In step.
    Same,
    /// More to come at once: a bounded batch was taken, or the tip moved meanwhile.
    Again,
}

impl MempoolSync {
    /// Until told to stop.
    pub fn run(mut self) {
        Beat::new("the thread that reads the mempool").speak_for_this_thread();
        let mut left_out: HashSet<[u8; 32]> = HashSet::new();
        let mut away = false;
        while !self.progress.stopping() {
            beat::step();
            if !self.shared.serving() {
                self.shared.mempool_poke.wait(Duration::from_millis(200));
                continue;
            }
            let wait = match self.look(&mut left_out) {
                Ok(look) => {
                    if std::mem::take(&mut away) {
                        info!("bitcoind's mempool can be read again");
                    }
                    match look {
                        Look::Same => self.interval(),
                        Look::Again => Duration::from_millis(20),
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
            self.shared.mempool_poke.wait(wait);
        }
    }

    /// A list of 300 000 txids is 20 MB: the longer it is, the less often it is asked for.
    fn interval(&self) -> Duration {
        match self.shared.mempool().len() {
            0..5_000 => Duration::from_secs(1),
            5_000..50_000 => Duration::from_secs(5),
            _ => Duration::from_secs(30),
        }
    }

    fn look(&mut self, left_out: &mut HashSet<[u8; 32]>) -> Result<Look> {
        let Some(tip) = self.common_tip()? else { return Ok(Look::Again) };
        let theirs: HashSet<[u8; 32]> = self.node.mempool_txids()?.into_iter().collect();
        left_out.retain(|txid| theirs.contains(txid));
        if self.shared.mempool().bytes() < self.bytes_max / 10 * 8 {
            // there is room again
            left_out.clear();
        }
        let (mut gone, new) = {
            let pool = self.shared.mempool();
            let gone: Vec<[u8; 32]> =
                pool.iter().map(|tx| tx.txid).filter(|txid| !theirs.contains(txid)).collect();
            let new = theirs.iter().filter(|txid| !pool.contains(txid));
            let new: Vec<[u8; 32]> =
                new.filter(|txid| !left_out.contains(*txid)).copied().collect();
            (gone, new)
        };
        if gone.is_empty() && new.is_empty() {
            return Ok(Look::Same);
        }
        let batches = new.chunks(MEMPOOL_BATCH).chain(new.is_empty().then_some(&[][..]));
        for batch in batches {
            let fetched = self.fetch(batch)?;
            // a block in the meantime: its transactions are gone there, but not confirmed here
            if self.progress.stopping() || self.common_tip()? != Some(tip) {
                return Ok(Look::Again);
            }
            if let Some(touched) = self.apply(&std::mem::take(&mut gone), fetched, left_out, tip) {
                (self.on_change)(touched);
            }
        }
        Ok(Look::Same)
    }

    /// The tip, if bitcoind's and ours are the same.
    fn common_tip(&self) -> Result<Option<[u8; 32]>> {
        let theirs = self.node.blockchain_info()?.best_block_hash.to_byte_array();
        let ours = header::hash(&self.shared.snapshot().tip_header);
        Ok((theirs == ours).then_some(ours))
    }

    fn fetch(&self, txids: &[[u8; 32]]) -> Result<Vec<MemTx>> {
        let mut fetched = Vec::with_capacity(txids.len());
        for (found, txid) in self.node.mempool_transactions(txids)?.into_iter().zip(txids) {
            // one that is gone in the meantime is no matter
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

    /// Changes the mempool; the scripts touched come back, or nothing if the tip has moved.
    fn apply(
        &self,
        gone: &[[u8; 32]],
        fetched: Vec<MemTx>,
        left_out: &mut HashSet<[u8; 32]>,
        tip: [u8; 32],
    ) -> Option<Option<Vec<Prefix>>> {
        let mut pool = self.shared.mempool_mut();
        if header::hash(&self.shared.snapshot().tip_header) != tip {
            return None;
        }
        let mut touched = Vec::new();
        let mut known = true;
        for txid in gone {
            if let Some(tx) = pool.remove(txid) {
                known &= self.touches(&pool, &tx, &mut touched);
            }
        }
        for tx in fetched {
            known &= self.touches(&pool, &tx, &mut touched);
            pool.insert(tx);
        }
        self.trim(&mut pool, left_out);
        drop(pool);
        touched.sort_unstable();
        touched.dedup();
        Some(known.then_some(touched))
    }

    fn touches(&self, pool: &Mempool, tx: &MemTx, touched: &mut Vec<Prefix>) -> bool {
        touched.extend(tx.outputs.iter().map(|output| output.script.prefix()));
        let parents = tx.inputs.iter().filter_map(|input| pool.output(input));
        touched.extend(parents.map(|output| output.script.prefix()));
        self.shared.watched.touched(tx.inputs.iter(), touched)
    }

    /// Over the budget, the lowest fee rates go first.
    fn trim(&self, pool: &mut Mempool, left_out: &mut HashSet<[u8; 32]>) {
        if pool.bytes() <= self.bytes_max {
            return;
        }
        let mut by_rate: Vec<(u64, [u8; 32])> = pool
            .iter()
            .map(|tx| (tx.fee.saturating_mul(1000) / u64::from(tx.vsize), tx.txid))
            .collect();
        by_rate.sort_unstable();
        let before = pool.len();
        for (_, txid) in by_rate {
            // a tenth below, so that this is not done for every transaction
            if pool.bytes() <= self.bytes_max / 10 * 9 {
                break;
            }
            pool.remove(&txid);
            left_out.insert(txid);
        }
        info!(
            "the mempool is larger than the memory for it: {} transactions of the lowest fee rates \
             are left out (raise --memory to see them)",
            before - pool.len()
        );
    }
}
