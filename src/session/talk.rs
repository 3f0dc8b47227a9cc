//! One client's session: reads its lines in order and keeps what it has agreed and watches.

use std::sync::{Arc, Mutex, MutexGuard};

use log::{debug, info};
use serde_json::Value;

use crate::host::lock::lock;
use crate::protocol::json::Json;
use crate::protocol::message::{
    self, BAD_REQUEST, ErrorObject, INTERNAL, Incoming, Malformed, Request,
};
use crate::protocol::method::{Method, ScriptQuestion};
use crate::protocol::read;
use crate::protocol::version::Version;
use crate::query::answers::{QueryError, Readiness};
use crate::session::config::Shared;
use crate::session::faults::crowded;
use crate::session::subscription::Subscriptions;

/// What a question needs, so that one kind cannot hold up another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Memory only; may run anywhere.
    Light,
    /// Reads the disk.
    Index,
    /// Waits for bitcoind.
    Node,
}

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
    /// What it needs.
    pub fn weight(&self) -> Weight {
        use Method::*;
        match &self.method {
            Broadcast(_) | BroadcastPackage { .. } | TestMempoolAccept(_) => Weight::Node,
            EstimateFee { .. } | RelayFee | MempoolInfo => Weight::Node,
            HeadersSubscribe | Version { .. } => Weight::Light,
            Ping { .. } | Features | Banner | DonationAddress | Report => Weight::Light,
            PeersSubscribe | AddPeer | OutpointUnsubscribe(_) => Weight::Light,
            Script { question: ScriptQuestion::Unsubscribe, .. } => Weight::Light,
            // both go over the whole mempool
            FeeHistogram | MempoolRecent => Weight::Index,
            BlockHeader { .. } | BlockHeaders { .. } | Script { .. } => Weight::Index,
            OutpointStatus(_) | OutpointSubscribe(_) | Transaction { .. } => Weight::Index,
            Merkle { .. } | IdFromPosition { .. } | ConfirmedBlockHash { .. } => Weight::Index,
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
    pub fn subscribes(&self) -> bool {
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

    fn ready(id: Value, outcome: Result<Json, ErrorObject>) -> Step {
        let line = message::reply(&id, outcome);
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
    pub fn is_light(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Step::Ready(..) => true,
            Step::Ask(job) => job.weight() == Weight::Light,
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

/// What was agreed with the client, and what it watches.
#[derive(Debug)]
pub(super) struct State {
    version: Version,
    greeted: bool,
    close: bool,
    client: String,
    pub(super) watching: Subscriptions,
}

/// One client's session. All calls but `run` and `recheck` return at once.
pub struct Session {
    pub(super) shared: Arc<Shared>,
    state: Mutex<State>,
}

impl Session {
    /// A session with a client that has not spoken yet, and is answered as one of protocol 1.4.
    pub fn new(shared: Arc<Shared>) -> Session {
        let state = State {
            version: Version::MIN,
            greeted: false,
            close: false,
            client: String::new(),
            watching: Subscriptions::default(),
        };
        Session { shared, state: Mutex::new(state) }
    }

    /// The state; never held while a question is asked.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// The name the client gave itself; empty if none.
    pub fn client(&self) -> String {
        self.state().client.clone()
    }

    /// Whether replies and notifications are padded: protocol 1.7 tells clients to expect it.
    pub fn is_padded(&self) -> bool {
        self.state().version >= Version::V1_7
    }

    /// Reads one line. Lines must come in their order: each is read at the version agreed by the
    /// ones before it.
    pub fn accept(&self, line: &[u8]) -> Accepted {
        let (steps, batch) = match message::read(line) {
            Incoming::Nothing => (Vec::new(), false),
            Incoming::One(item) => (vec![self.step(item)], false),
            Incoming::Batch(items) => {
                (items.into_iter().map(|item| self.step(item)).collect(), true)
            }
        };
        Accepted { steps, batch, close: self.state().close }
    }

    fn step(&self, item: Result<Request, Malformed>) -> Step {
        let Request { id, method: name, params } = match item {
            Ok(request) => request,
            Err(Malformed { id, error }) => return Step::ready(id, Err(error)),
        };
        if self.shared.answers.readiness() == Readiness::Building && !Method::while_building(&name)
        {
            let error = ErrorObject::new(INTERNAL, QueryError::Building.to_string());
            return Step::ready(id, Err(error));
        }
        let version = self.state().version;
        match read::method(&name, &params, version) {
            Ok(Method::Version { client, version }) => Step::ready(id, self.greet(client, version)),
            Ok(method) => Step::Ask(Job { id, method, version }),
            Err(error) => Step::ready(id, Err(error)),
        }
    }

    /// `server.version`: only the first one counts; without a common version the client goes.
    fn greet(
        &self,
        client: String,
        version: Result<Version, ErrorObject>,
    ) -> Result<Json, ErrorObject> {
        let mut state = self.state();
        if state.greeted {
            return Err(ErrorObject::new(BAD_REQUEST, "server.version already sent"));
        }
        state.greeted = true;
        state.client = client;
        match version {
            Ok(version) => {
                debug!("client {:?} speaks {version}", state.client);
                state.version = version;
                let software = Json::text(&self.shared.config.software);
                Ok(Json::array([software, Json::text(&version.to_string())]))
            }
            Err(error) => {
                info!("client {:?} refused: {}", state.client, error.message);
                state.close = true;
                Err(error)
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let watched = self.state().watching.len();
        self.shared.unwatch(watched);
    }
}
