//! Answers the questions of one line, each on the threads it may run on, and makes the reply line.

use std::sync::Arc;

use serde_json::Value;

use crate::protocol::message::{ErrorObject, INTERNAL, reply};
use crate::server::electrum::outbox::ReplyMemory;
use crate::server::net::workers::Workers;
use crate::session::job::{Accepted, GrowReply, Job, Runs, Step};
use crate::session::request_batch::BatchReply;
use crate::session::subscription::Watched;
use crate::session::talk::Session;

/// The reply line to all of a line's requests; `None` if there are none. A batch takes its turn
/// anew for each question, so that a long one does not hold up other clients.
pub(crate) async fn answer(
    workers: &Workers,
    session: &Arc<Session>,
    accepted: &Accepted,
    memory: &mut ReplyMemory,
) -> Option<String> {
    if !accepted.batch {
        return match accepted.steps.first()? {
            Step::Ready(_, line) => Some(line.clone()),
            Step::Ask(job) => {
                Some(ask(workers, session, job, &mut |bytes| memory.set(bytes)).await)
            }
        };
    }
    let mut replies = BatchReply::default();
    for step in &accepted.steps {
        match step {
            Step::Ready(_, line) => replies.add(line),
            Step::Ask(job) if replies.is_full() => replies.add_too_large(&job.id),
            Step::Ask(job) => {
                // the reply exists twice for a moment: by itself, and as a part of the batch
                let so_far = replies.bytes();
                let mut both = |bytes: usize| memory.set(so_far.saturating_add(bytes * 2));
                let line = ask(workers, session, job, &mut both).await;
                replies.add_if_it_fits(&job.id, &line);
                drop(line);
                if !memory.set(replies.bytes()) {
                    return Some(accepted.busy_line());
                }
            }
        }
    }
    replies.finish()
}

/// The reply line to one question.
async fn ask(workers: &Workers, session: &Arc<Session>, job: &Job, grow: GrowReply<'_>) -> String {
    let line = match job.runs() {
        Runs::Here => Some(session.run(job)),
        Runs::OnIndexThread => workers.in_place(|| session.run_within(job, grow)).await,
        Runs::OnNodeThread => {
            let (session, own) = (session.clone(), job.clone());
            workers.on_node_thread(move || session.run(&own)).await
        }
    };
    line.unwrap_or_else(|| broken(&job.id))
}

/// The notifications for those of the `watched` items that changed.
pub(crate) async fn recheck(
    workers: &Workers,
    session: &Arc<Session>,
    watched: Vec<Watched>,
) -> Vec<String> {
    let (session, step_done) = (session.clone(), workers.step_done());
    let look = move |one: Watched| {
        step_done();
        session.watching().recheck(&[one])
    };
    let work = move || watched.into_iter().flat_map(look).collect();
    workers.on_index_thread(work).await.unwrap_or_default()
}

fn broken(id: &Value) -> String {
    reply(id, Err(ErrorObject::new(INTERNAL, "internal error; the log says more")))
}
