//! The parsed form of one line: a step for each request, and the thread each question may run on.

use serde_json::Value;

use crate::protocol::message::{self, ReplyBody};
use crate::protocol::method::{Method, ScriptQuestion};
use crate::protocol::version::Version;
use crate::session::faults::no_reply_memory;

/// Where a question runs, so that questions of one kind cannot hold up the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// On any thread, since it needs memory only.
    Here,
    /// On a thread of the index, since it reads the disk.
    OnIndexThread,
    /// On a thread that may wait for bitcoind.
    OnNodeThread,
}

/// Called with the size of a long reply, in bytes, before the reply is made. `true` says that this
/// much memory is now held for it; `false` that there is too little.
pub type GrowReply<'a> = &'a mut (dyn FnMut(usize) -> bool + Send);

/// A question that was parsed but not yet asked.
#[derive(Clone, Debug)]
pub struct Job {
    /// The id that its reply will have.
    pub id: Value,
    /// The method and its parameters.
    pub method: Method,
    /// The version in force when the request arrived.
    pub version: Version,
}

impl Job {
    /// Where the question runs.
    pub fn runs(&self) -> Runs {
        use Method::*;
        match &self.method {
            Broadcast(_) | BroadcastPackage { .. } | TestMempoolAccept(_) => Runs::OnNodeThread,
            EstimateFee { .. } | RelayFee | MempoolInfo => Runs::OnNodeThread,
            HeadersSubscribe | Version { .. } => Runs::Here,
            Ping { .. } | Features | Banner | DonationAddress | StatusReport => Runs::Here,
            PeersSubscribe | AddPeer | OutpointUnsubscribe(_) => Runs::Here,
            Script { question: ScriptQuestion::Unsubscribe, .. } => Runs::Here,
            // both go over the whole mempool, which takes long
            FeeHistogram | MempoolRecent => Runs::OnIndexThread,
            BlockHeader { .. } | BlockHeaders { .. } | Script { .. } => Runs::OnIndexThread,
            OutpointStatus(_) | OutpointSubscribe(_) | Transaction { .. } => Runs::OnIndexThread,
            Merkle { .. } | IdFromPosition { .. } | ConfirmedBlockHash { .. } => {
                Runs::OnIndexThread
            }
        }
    }

    /// Whether the question ends a subscription, which an earlier line may still be about to start.
    fn unsubscribes(&self) -> bool {
        use Method::*;
        matches!(
            self.method,
            OutpointUnsubscribe(_) | Script { question: ScriptQuestion::Unsubscribe, .. }
        )
    }

    /// Whether the question starts notifications, which must not overtake its reply.
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

/// What is left to do for one request.
#[derive(Clone, Debug)]
pub enum Step {
    /// Nothing: here is the reply line to the request with this id.
    Ready(Value, String),
    /// Ask this question with `Session::run`.
    Ask(Job),
}

impl Step {
    /// The id that the reply has.
    pub fn id(&self) -> &Value {
        match self {
            Step::Ready(id, _) => id,
            Step::Ask(job) => &job.id,
        }
    }

    /// A step whose reply is known already.
    pub fn ready(id: Value, body: ReplyBody) -> Step {
        let line = message::reply(&id, body);
        Step::Ready(id, line)
    }
}

/// What is left to do for one line.
#[derive(Debug)]
pub struct Accepted {
    /// The steps in the order of the requests; empty if there is nothing to reply.
    pub steps: Vec<Step>,
    /// Whether the replies form one list.
    pub batch: bool,
    /// Whether the connection ends after the reply.
    pub close: bool,
}

impl Accepted {
    /// Whether any of the questions starts notifications.
    pub fn subscribes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Ask(job) if job.subscribes()))
    }

    /// Whether any of the questions ends a subscription, so that the line must wait for all lines
    /// before it.
    pub fn unsubscribes(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Ask(job) if job.unsubscribes()))
    }

    /// Whether all replies come from memory, so that the line need not wait behind the client's
    /// other questions.
    pub fn runs_here(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Ready(..) => true,
            Step::Ask(job) => job.runs() == Runs::Here,
        })
    }

    /// The reply line that tells the client, for each request, that there is no memory for the
    /// reply.
    pub fn busy_line(&self) -> String {
        let error = no_reply_memory();
        let refuse = |step: &Step| message::reply(step.id(), Err(error.clone()));
        let lines: Vec<String> = self.steps.iter().map(refuse).collect();
        match self.batch {
            true => format!("[{}]", lines.join(",")),
            false => lines.concat(),
        }
    }
}
