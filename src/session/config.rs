//! What all sessions share: what the server says of itself, whom it asks, and the limits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bitcoin::BlockHash;

use crate::config::defaults::SERVER_NAME;
use crate::limits;
use crate::node::calls::NodeCalls;
use crate::protocol::json::Json;
use crate::protocol::version::Version;
use crate::query::answers::Answers;
use crate::session::fees::FeeCache;

/// A name under which the server can be reached, for `server.features`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A host name or address.
    pub name: String,
    /// Port for plain connections.
    pub tcp_port: Option<u16>,
    /// Port for TLS connections.
    pub ssl_port: Option<u16>,
}

/// What the server says of itself, and what one client may cost.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// First item of `server.version`.
    pub software: String,
    /// The texts to begin with.
    pub texts: Texts,
    /// Tells the network apart.
    pub genesis_hash: BlockHash,
    /// May be empty.
    pub hosts: Vec<Host>,
    /// Scripts one client may watch.
    pub max_scripts: usize,
    /// Outpoints one client may watch.
    pub max_outpoints: usize,
    /// Scripts and outpoints all clients may watch together.
    pub max_watched: usize,
}

impl SessionConfig {
    /// The defaults for a network.
    pub fn new(genesis_hash: BlockHash) -> SessionConfig {
        SessionConfig {
            software: SERVER_NAME.to_owned(),
            texts: Texts::of(&format!("Served by hekte {}.", env!("CARGO_PKG_VERSION")), ""),
            genesis_hash,
            hosts: Vec::new(),
            max_scripts: limits::MAX_SCRIPTS_WATCHED_PER_CLIENT,
            max_outpoints: limits::MAX_OUTPOINTS_WATCHED_PER_CLIENT,
            max_watched: limits::MAX_WATCHED,
        }
    }

    /// `server.features`; from 1.7 on without `hash_function`.
    pub fn features(&self, version: Version) -> Json {
        let hosts = self.hosts.iter().map(|host| {
            let tcp = host.tcp_port.map(|port| ("tcp_port", Json::int(port)));
            let ssl = host.ssl_port.map(|port| ("ssl_port", Json::int(port)));
            (host.name.as_str(), Json::object_of(tcp.into_iter().chain(ssl)))
        });
        let mut fields = vec![
            ("genesis_hash", Json::text(&self.genesis_hash.to_string())),
            ("hosts", Json::object_of(hosts)),
            ("protocol_max", Json::text(&Version::MAX.to_string())),
            ("protocol_min", Json::text(&Version::MIN.to_string())),
            ("pruning", Json::null()),
            ("server_version", Json::text(&self.software)),
        ];
        if version < Version::V1_7 {
            fields.push(("hash_function", Json::text("sha256")));
        }
        Json::object_of(fields)
    }
}

/// What an operator may say to clients, and change while hekte runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// Shown by wallets on their console.
    pub banner: String,
    /// Empty if none.
    pub donation_address: String,
}

impl Texts {
    /// Both.
    pub fn of(banner: &str, donation_address: &str) -> Texts {
        Texts { banner: banner.to_owned(), donation_address: donation_address.to_owned() }
    }
}

/// What every session holds on to.
pub struct Shared {
    /// What the server says of itself.
    pub config: SessionConfig,
    /// The index and the mempool.
    pub answers: Arc<dyn Answers>,
    /// bitcoind; `None` with --offline.
    pub node: Option<Arc<dyn NodeCalls>>,
    /// bitcoind's recent fee figures.
    pub fees: FeeCache,
    watched: AtomicUsize,
    texts: RwLock<Texts>,
}

impl Shared {
    /// Puts together what sessions need.
    pub fn new(
        config: SessionConfig,
        answers: Arc<dyn Answers>,
        node: Option<Arc<dyn NodeCalls>>,
    ) -> Shared {
        let (fees, watched) = (FeeCache::default(), AtomicUsize::new(0));
        let texts = RwLock::new(config.texts.clone());
        Shared { config, answers, node, fees, watched, texts }
    }

    /// The texts in force.
    pub fn texts(&self) -> Texts {
        self.texts.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other texts from now on.
    pub fn set_texts(&self, texts: Texts) {
        *self.texts.write().unwrap_or_else(PoisonError::into_inner) = texts;
    }

    /// Counts one more watched script or outpoint; false when there is no room.
    pub fn watch_one(&self) -> bool {
        let max = self.config.max_watched;
        let more = |count: usize| (count < max).then(|| count.saturating_add(1));
        self.watched.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Counts `count` less.
    pub fn unwatch(&self, count: usize) {
        let before = self.watched.fetch_sub(count, Ordering::Relaxed);
        assert!(before >= count, "{count} given back of {before} watched");
    }

    /// Scripts and outpoints watched by all clients.
    pub fn watched(&self) -> usize {
        self.watched.load(Ordering::Relaxed)
    }
}
