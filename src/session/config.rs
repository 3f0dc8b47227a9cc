//! What the server says of itself to Electrum clients, and what one client may cost.

use bitcoin::BlockHash;

use crate::config::defaults::SERVER_NAME;
use crate::limits;

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
    /// Scripts one client may watch, as the option says.
    pub max_subscriptions: usize,
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
            max_subscriptions: limits::MAX_SCRIPTS_WATCHED_PER_CLIENT,
            max_outpoints: limits::MAX_OUTPOINTS_WATCHED_PER_CLIENT,
            max_watched: limits::MAX_WATCHED,
        }
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
    /// Texts of that wording.
    pub fn of(banner: &str, donation_address: &str) -> Texts {
        Texts { banner: banner.to_owned(), donation_address: donation_address.to_owned() }
    }
}
