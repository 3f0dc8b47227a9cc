//! The thread that sorts and stores one batch while the next one is being read.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use log::info;

use crate::error::{Error, Result};
use crate::host::beat::{self, Beat};
use crate::ids::TxNum;
use crate::store::open::Db;
use crate::store::records::State;
use crate::store::space::{Step, check_room};
use crate::store::write::NewRows;
use crate::sync::blocks::batch::Batch;

use super::pace::DiskPace;

/// A batch to be stored, with the rows and the state that belong to it.
pub struct StoreJob {
    /// The postings.
    pub batch: Batch,
    /// Rows of the same blocks.
    pub rows: NewRows,
    /// The state once both are stored.
    pub state: State,
    /// Whether the runs go to the main database instead of the bulk one.
    pub into_main: bool,
}

/// The two databases of a build. Runs are committed before the state that counts them.
pub struct Databases {
    /// Holds rows and state, and in the end all runs.
    pub main: Db,
    /// Holds runs until they are merged; `None` where runs go straight to the main one.
    pub bulk: Option<Db>,
}

/// The size of the first batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It takes all the memory for batches: a chain that fits into it is written once, and never
    /// merged.
    Whole,
    /// It is as large as all that follow.
    Half,
}

/// The collector's handle on the thread that stores: takes full batches and gives empty ones back.
pub struct Writer<'scope> {
    jobs: SyncSender<StoreJob>,
    empty: Receiver<Batch>,
    thread: ScopedJoinHandle<'scope, Result<Databases>>,
}

impl<'scope> Writer<'scope> {
    /// Starts the thread, which owns the databases until [`Writer::finish`]. Two batches of
    /// `half_bytes` take turns: one is stored while the other is filled. But if the `first` batch
    /// takes all the memory for batches, it is stored before reading goes on.
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        databases: Databases,
        half_bytes: usize,
        first: First,
        pace: DiskPace,
    ) -> Writer<'scope> {
        let (jobs, inbox) = sync_channel::<StoreJob>(0);
        let (give_back, empty) = sync_channel(2);
        // this cannot block: the channel has room for both batches
        if first == First::Half {
            let _ = give_back.send(Batch::new(TxNum(0), half_bytes));
        }
        let thread = scope.spawn(move || {
            Beat::new("the thread that stores batches").speak_for_this_thread();
            let mut whole = first == First::Whole;
            while let Ok(job) = beat::waiting(|| inbox.recv()) {
                let postings = job.batch.postings() as u64;
                // 8 bytes for each posting are about twice what it takes on the disk
                check_room(&databases.main.path, Step::Batch, postings * 8, pace.spare_bytes)?;
                let mut batch = store(&databases, job, pace.threads)?;
                if std::mem::take(&mut whole) {
                    drop(batch);
                    batch = Batch::new(TxNum(0), half_bytes);
                    let _ = give_back.send(Batch::new(TxNum(0), half_bytes));
                }
                if give_back.send(batch).is_err() {
                    break;
                }
            }
            Ok(databases)
        });
        Writer { jobs, empty, thread }
    }

    /// Hands a batch over. Waits until the one before is stored, and returns an empty batch that
    /// begins behind the one handed over. `None` if the thread has failed: [`Writer::finish`] says
    /// why.
    pub fn hand_over(&self, job: StoreJob) -> Option<Batch> {
        let next = job.batch.range().end;
        self.jobs.send(job).ok()?;
        let mut batch = self.empty.recv().ok()?;
        batch.start_at(next);
        Some(batch)
    }

    /// Waits until everything is stored, and returns the databases.
    pub fn finish(self) -> Result<Databases> {
        drop(self.jobs);
        let joined = self.thread.join();
        joined.unwrap_or_else(|_| Err(Error::Software("the writing thread panicked".into())))
    }
}

fn store(databases: &Databases, job: StoreJob, threads: usize) -> Result<Batch> {
    let StoreJob { mut batch, rows, state, into_main } = job;
    let change = databases.main.change()?;
    match &databases.bulk {
        Some(bulk) if !into_main => {
            let runs = bulk.change()?;
            batch.write_runs(&runs, threads)?;
            runs.commit()?;
        }
        _ => batch.write_runs(&change, threads)?,
    }
    change.put_new_rows(&rows)?;
    change.set_state(&state)?;
    change.commit()?;
    info!("indexed {} transactions in all, height={}", state.txs, state.blocks.saturating_sub(1));
    batch.start_at(TxNum(0));
    Ok(batch)
}
