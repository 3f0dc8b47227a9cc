//! Runs questions that block on a bounded number of threads, index and bitcoind apart.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::{block_in_place, spawn_blocking};

use crate::protocol::message::{ErrorObject, INTERNAL, reply};
use crate::session::batch::BatchReply;
use crate::session::subscription::Watched;
use crate::session::talk::{Accepted, Job, Session, Step, Weight};

/// Permits to occupy a blocking thread.
pub(crate) struct Workers {
    index: Semaphore,
    node: Semaphore,
}

impl Workers {
    pub(crate) fn new(index: usize, node: usize) -> Workers {
        Workers { index: Semaphore::new(index), node: Semaphore::new(node) }
    }

    /// The reply line of one question. The permits are handed out in the order of asking, so a
    /// long batch takes turns with other clients.
    async fn ask(&self, session: &Arc<Session>, job: &Job) -> String {
        let line = match job.weight() {
            Weight::Light => Some(session.run(job)),
            Weight::Index => in_place(&self.index, || session.run(job)).await,
            Weight::Node => {
                let (session, own) = (session.clone(), job.clone());
                blocking(&self.node, move || session.run(&own)).await
            }
        };
        line.unwrap_or_else(|| broken(&job.id))
    }

    /// The reply line to all of a line's requests; `None` if there are none.
    pub(crate) async fn answer(
        &self,
        session: &Arc<Session>,
        accepted: &Accepted,
    ) -> Option<String> {
        if !accepted.batch {
            return match accepted.steps.first()? {
                Step::Ready(_, line) => Some(line.clone()),
                Step::Ask(job) => Some(self.ask(session, job).await),
            };
        }
        let mut replies = BatchReply::default();
        for step in &accepted.steps {
            match step {
                Step::Ready(_, line) => replies.add(line),
                Step::Ask(job) if !replies.has_room() => replies.add_too_large(&job.id),
                Step::Ask(job) => {
                    let line = self.ask(session, job).await;
                    replies.add_if_it_fits(&job.id, &line);
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
        blocking(&self.index, move || session.recheck(&watched)).await.unwrap_or_default()
    }
}

/// Runs `work` on a blocking thread once there is a permit; `None` if it panicked.
async fn blocking<T: Send + 'static>(
    permits: &Semaphore,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    // an error would mean that the semaphore was closed, which nobody does
    let _permit = permits.acquire().await.ok()?;
    spawn_blocking(work).await.ok()
}

/// The same on the present thread, whose other tasks move to another one if it takes long: most
/// answers are there sooner than a second thread would be awake.
async fn in_place<T>(permits: &Semaphore, work: impl FnOnce() -> T) -> Option<T> {
    let _permit = permits.acquire().await.ok()?;
    Some(block_in_place(work))
}

fn broken(id: &Value) -> String {
    reply(id, Err(ErrorObject::new(INTERNAL, "internal error; the log says more")))
}
