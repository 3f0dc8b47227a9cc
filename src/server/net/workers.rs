//! Runs questions that block on a bounded number of threads, index and bitcoind apart.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::sleep;

use crate::host::beat::Beat;
use crate::limits::BEAT_EVERY;
use crate::protocol::message::{ErrorObject, INTERNAL, reply};
use crate::server::electrum::outbox::ReplyRoom;
use crate::server::net::settings::Settings;
use crate::session::batch::BatchReply;
use crate::session::job::{Accepted, GrowReply, Job, Runs, Step};
use crate::session::subscription::Watched;
use crate::session::talk::Session;

/// Permits to occupy a blocking thread.
pub(crate) struct Workers {
    index: Semaphore,
    node: Semaphore,
    beat: Beat,
    silence_max: Duration,
}

impl Workers {
    pub(crate) fn new(settings: &Settings) -> Workers {
        Workers {
            index: Semaphore::new(settings.index_workers),
            node: Semaphore::new(settings.node_workers),
            beat: Beat::new("the threads that answer questions"),
            silence_max: settings.silence_max,
        }
    }

    /// Says now and then that questions are still answered, also while nobody asks any. Those that
    /// wait for bitcoind do not count.
    pub(crate) async fn keep_beating(&self) {
        loop {
            self.beat.within(self.silence_max);
            sleep(BEAT_EVERY).await;
            self.blocking(&self.index, || ()).await;
        }
    }

    /// The reply line of one question. The permits are handed out in the order of asking, so a
    /// long batch takes turns with other clients.
    async fn ask(&self, session: &Arc<Session>, job: &Job, grow: GrowReply<'_>) -> String {
        let line = match job.runs() {
            Runs::Here => Some(session.run(job)),
            Runs::OnIndexThread => self.in_place(|| session.run_within(job, grow)).await,
            Runs::OnNodeThread => {
                let (session, own) = (session.clone(), job.clone());
                self.blocking(&self.node, move || session.run(&own)).await
            }
        };
        line.unwrap_or_else(|| broken(&job.id))
    }

    /// The reply line to all of a line's requests; `None` if there are none.
    pub(crate) async fn answer(
        &self,
        session: &Arc<Session>,
        accepted: &Accepted,
        room: &mut ReplyRoom,
    ) -> Option<String> {
        if !accepted.batch {
            return match accepted.steps.first()? {
                Step::Ready(_, line) => Some(line.clone()),
                Step::Ask(job) => Some(self.ask(session, job, &mut |bytes| room.set(bytes)).await),
            };
        }
        let mut replies = BatchReply::default();
        for step in &accepted.steps {
            match step {
                Step::Ready(_, line) => replies.add(line),
                Step::Ask(job) if replies.is_full() => replies.add_too_large(&job.id),
                Step::Ask(job) => {
                    // the reply, and what it becomes a part of
                    let so_far = replies.bytes();
                    let mut two = |bytes: usize| room.set(so_far.saturating_add(bytes * 2));
                    let line = self.ask(session, job, &mut two).await;
                    replies.add_if_it_fits(&job.id, &line);
                    drop(line);
                    if !room.set(replies.bytes()) {
                        return Some(accepted.busy_line());
                    }
                }
            }
        }
        replies.finish()
    }

    /// The notifications for watched things that changed.
    pub(crate) async fn recheck(
        &self,
        session: &Arc<Session>,
        watched: Vec<Watched>,
    ) -> Vec<String> {
        let session = session.clone();
        let (beat, silence_max) = (self.beat.clone(), self.silence_max);
        let look = move |one: Watched| {
            beat.within(silence_max);
            session.watching().recheck(&[one])
        };
        let work = move || watched.into_iter().flat_map(look).collect();
        self.blocking(&self.index, work).await.unwrap_or_default()
    }

    /// Runs `work` on a blocking thread once there is a permit; `None` if it panicked.
    async fn blocking<T: Send + 'static>(
        &self,
        permits: &Semaphore,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        // an error would mean that the semaphore was closed, which nobody does
        let permit = permits.acquire().await.ok()?;
        let outcome = spawn_blocking(work).await.ok();
        if std::ptr::eq(permits, &self.index) {
            self.beat.within(self.silence_max);
        }
        drop(permit);
        outcome
    }

    /// A question to the index on the present thread, whose other tasks move to another one if it
    /// takes long: most answers are there sooner than a second thread would be awake.
    async fn in_place<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let _permit = self.index.acquire().await.ok()?;
        let outcome = block_in_place(work);
        self.beat.within(self.silence_max);
        Some(outcome)
    }
}

fn broken(id: &Value) -> String {
    reply(id, Err(ErrorObject::new(INTERNAL, "internal error; the log says more")))
}
