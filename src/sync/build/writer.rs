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
pub struct Job {
    /// The postings.
    pub batch: Batch,
    /// Rows of the same blocks.
    pub rows: NewRows,
    /// The state when they are stored.
    pub state: State,
    /// Where the runs go: the main database instead of the bulk one.
    pub into_main: bool,
}

/// The two databases of a build. Runs are committed before the state that counts them.
pub struct Databases {
    /// Holds rows and state, and in the end all runs.
    pub main: Db,
    /// Holds runs until they are merged; `None` where runs go straight to the main one.
    pub bulk: Option<Db>,
}

/// How large the first batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// All the memory for batches: what fits is written once, and never merged.
    Whole,
    /// As large as all that follow.
    Half,
}

/// The collector's end: gives batches away and gets empty ones back.
pub struct Writer<'scope> {
    jobs: SyncSender<Job>,
    empty: Receiver<Batch>,
    thread: ScopedJoinHandle<'scope, Result<Databases>>,
}

impl<'scope> Writer<'scope> {
    /// Starts the thread. It owns the databases until [`Writer::finish`]. There are two batches of
    /// `half_bytes`, one being stored while the other is filled. But where the `first` one takes
    /// all the memory there is for batches, it is stored before reading goes on.
    pub fn start<'env>(
        scope: &'scope Scope<'scope, 'env>,
        databases: Databases,
        half_bytes: usize,
        first: First,
        pace: DiskPace,
    ) -> Writer<'scope> {
        let (jobs, inbox) = sync_channel::<Job>(0);
        let (give_back, empty) = sync_channel(2);
        // the channel has room for both batches
        if first == First::Half {
            let _ = give_back.send(Batch::new(TxNum(0), half_bytes));
        }
        let thread = scope.spawn(move || {
            Beat::new("the thread that stores batches").speak_for_this_thread();
            let mut whole = first == First::Whole;
            while let Ok(job) = beat::waiting(|| inbox.recv()) {
                let postings = job.batch.postings() as u64;
                // a stored posting takes about half of what it takes in memory
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

    /// Hands a batch over, waiting for the one before to be stored; an empty batch that begins
    /// behind it comes back. `None`: the thread has failed, [`Writer::finish`] says why.
    pub fn hand_over(&self, job: Job) -> Option<Batch> {
        let next = job.batch.range().end;
        self.jobs.send(job).ok()?;
        let mut batch = self.empty.recv().ok()?;
        batch.start_at(next);
        Some(batch)
    }

    /// Waits until everything is stored; the databases come back.
    pub fn finish(self) -> Result<Databases> {
        drop(self.jobs);
        let joined = self.thread.join();
        joined.unwrap_or_else(|_| Err(Error::Software("the writing thread panicked".into())))
    }
}

fn store(databases: &Databases, job: Job, threads: usize) -> Result<Batch> {
    let Job { mut batch, rows, state, into_main } = job;
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
