//! One client's session: reads its lines in order and keeps what it has agreed and watches.

use std::sync::{Arc, Mutex, MutexGuard};

use log::{debug, info};

use crate::host::lock::lock;
use crate::protocol::json::Json;
use crate::protocol::message::{
    self, BAD_REQUEST, ErrorObject, INTERNAL, Incoming, Malformed, ReplyBody, Request,
};
use crate::protocol::method::Method;
use crate::protocol::read;
use crate::protocol::version::Version;
use crate::query::answers::{QueryError, Readiness};
use crate::session::dispatch::Dispatch;
use crate::session::hub::SessionHub;
use crate::session::job::{Accepted, GrowReply, Job, Step};
use crate::session::watch_list::WatchList;

/// What was agreed with the client.
#[derive(Debug)]
struct Agreed {
    version: Version,
    greeted: bool,
    close: bool,
    client: String,
}

/// One client's session. All calls but `run` and `run_within` return at once.
pub struct Session {
    hub: Arc<SessionHub>,
    agreed: Mutex<Agreed>,
    watching: WatchList,
}

impl Session {
    /// A session with a client that has not spoken yet, and is answered as one of protocol 1.4.
    pub fn new(hub: Arc<SessionHub>) -> Session {
        let agreed =
            Agreed { version: Version::MIN, greeted: false, close: false, client: String::new() };
        let watching = WatchList::new(hub.clone());
        Session { hub, agreed: Mutex::new(agreed), watching }
    }

    /// Never held while a question is asked.
    fn agreed(&self) -> MutexGuard<'_, Agreed> {
        lock(&self.agreed)
    }

    /// What the client watches.
    pub fn watching(&self) -> &WatchList {
        &self.watching
    }

    /// Asks a question and gives its reply line. May block for as long as the disk or bitcoind
    /// does, unless the job runs here.
    pub fn run(&self, job: &Job) -> String {
        self.run_within(job, &mut |_| true)
    }

    /// Asks a question like [`Session::run`], and asks `grow` for memory before it makes a long
    /// answer.
    pub fn run_within(&self, job: &Job, grow: GrowReply<'_>) -> String {
        Dispatch { hub: &self.hub, watching: &self.watching }.line(job, grow)
    }

    /// The name the client gave itself; empty if none.
    pub fn client(&self) -> String {
        self.agreed().client.clone()
    }

    /// Whether replies and notifications are padded: protocol 1.7 tells clients to expect it.
    pub fn is_padded(&self) -> bool {
        self.agreed().version >= Version::V1_7
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
        Accepted { steps, batch, close: self.agreed().close }
    }

    fn step(&self, item: Result<Request, Malformed>) -> Step {
        let Request { id, method: name, params } = match item {
            Ok(request) => request,
            Err(Malformed { id, error }) => return Step::ready(id, Err(error)),
        };
        if self.hub.answers.readiness() == Readiness::Building && !Method::while_building(&name) {
            let error = ErrorObject::new(INTERNAL, QueryError::Building.to_string());
            return Step::ready(id, Err(error));
        }
        let version = self.agreed().version;
        match read::method(&name, &params, version) {
            Ok(Method::Version { client, version }) => Step::ready(id, self.greet(client, version)),
            Ok(method) => Step::Ask(Job { id, method, version }),
            Err(error) => Step::ready(id, Err(error)),
        }
    }

    /// `server.version`: only the first one counts; without a common version the client goes.
    fn greet(&self, client: String, version: Result<Version, ErrorObject>) -> ReplyBody {
        let mut agreed = self.agreed();
        if agreed.greeted {
            return Err(ErrorObject::new(BAD_REQUEST, "server.version already sent"));
        }
        agreed.greeted = true;
        agreed.client = client;
        match version {
            Ok(version) => {
                debug!("client {:?} speaks {version}", agreed.client);
                agreed.version = version;
                let software = Json::text(&self.hub.config.software);
                Ok(Json::array([software, Json::text(&version.to_string())]))
            }
            Err(error) => {
                info!("client {:?} refused: {}", agreed.client, error.message);
                agreed.close = true;
                Err(error)
            }
        }
    }
}
