//! What one line asks for: steps to its reply, and the thread that each question may run on.

use serde_json::Value;

use crate::protocol::message::{self, ReplyBody};
use crate::protocol::method::{Method, ScriptQuestion};
use crate::protocol::version::Version;
use crate::session::faults::crowded;

/// Where a question runs, so that one kind cannot hold up another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// On any thread: it needs memory only.
    Here,
    /// On a thread of the index: it reads the disk.
    OnIndexThread,
    /// On a thread that may wait for bitcoind.
    OnNodeThread,
}

/// Called with the size of a long reply, in bytes, before the reply is made. `true` says that this
/// much memory is now held for it; `false` that there is too little.
pub type GrowReply<'a> = &'a mut (dyn FnMut(usize) -> bool + Send);

/// A question understood but not yet asked.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id of its reply.
    pub id: Value,
    /// What is asked.
    pub method: Method,
    /// The version spoken when it came in.
    pub version: Version,
}

impl Job {
    /// Where it runs.
    pub fn runs(&self) -> Runs {
        use Method::*;
        match &self.method {
            Broadcast(_) | BroadcastPackage { .. } | TestMempoolAccept(_) => Runs::OnNodeThread,
            EstimateFee { .. } | RelayFee | MempoolInfo => Runs::OnNodeThread,
            HeadersSubscribe | Version { .. } => Runs::Here,
            Ping { .. } | Features | Banner | DonationAddress | StatusReport => Runs::Here,
            PeersSubscribe | AddPeer | OutpointUnsubscribe(_) => Runs::Here,
            Script { question: ScriptQuestion::Unsubscribe, .. } => Runs::Here,
            // both go over the whole mempool
            FeeHistogram | MempoolRecent => Runs::OnIndexThread,
            BlockHeader { .. } | BlockHeaders { .. } | Script { .. } => Runs::OnIndexThread,
            OutpointStatus(_) | OutpointSubscribe(_) | Transaction { .. } => Runs::OnIndexThread,
            Merkle { .. } | IdFromPosition { .. } | ConfirmedBlockHash { .. } => {
                Runs::OnIndexThread
            }
        }
    }

    /// Whether it ends a subscription, which an earlier line may still be about to start.
    fn unsubscribes(&self) -> bool {
        use Method::*;
        matches!(
            self.method,
            OutpointUnsubscribe(_) | Script { question: ScriptQuestion::Unsubscribe, .. }
        )
    }

    /// Whether its reply starts notifications, which must not overtake it.
    fn subscribes(&self) -> bool {
        use Method::*;
        matches!(
            self.method,
            HeadersSubscribe
                | OutpointSubscribe(_)
                | Script { question: ScriptQuestion::Subscribe, .. }
        )
    }
}

/// One request's way to its reply.
#[derive(Clone, Debug)]
pub enum Step {
    /// The reply line to the request `id`.
    Ready(Value, String),
    /// A question for `Session::run`.
    Ask(Job),
}

impl Step {
    /// The id of its reply.
    pub fn id(&self) -> &Value {
        match self {
            Step::Ready(id, _) => id,
            Step::Ask(job) => &job.id,
        }
    }

    /// A reply that needs no further question.
    pub fn ready(id: Value, body: ReplyBody) -> Step {
        let line = message::reply(&id, body);
        Step::Ready(id, line)
    }
}

/// What to do with one line.
#[derive(Debug)]
pub struct Accepted {
    /// In the order of the requests; empty if there is nothing to reply.
    pub steps: Vec<Step>,
    /// The replies form one list.
    pub batch: bool,
    /// The connection ends after the reply.
    pub close: bool,
}

impl Accepted {
    /// Whether any of its replies starts notifications.
    pub fn subscribes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Ask(job) if job.subscribes()))
    }

    /// Whether it must wait for all lines before it.
    pub fn unsubscribes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Ask(job) if job.unsubscribes()))
    }

    /// Whether it is answered from memory, and so need not wait behind the client's other
    /// questions.
    pub fn runs_here(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Ready(..) => true,
            Step::Ask(job) => job.runs() == Runs::Here,
        })
    }

    /// The line that says to all of its requests that their replies cannot be kept in memory.
    pub fn busy_line(&self) -> String {
        let error = crowded();
        let refuse = |step: &Step| message::reply(step.id(), Err(error.clone()));
        let lines: Vec<String> = self.steps.iter().map(refuse).collect();
        match self.batch {
            true => format!("[{}]", lines.join(",")),
            false => lines.concat(),
        }
    }
}
