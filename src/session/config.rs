//! What the server tells Electrum clients about itself, and the limits for one client.

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

/// What the server tells clients about itself, and the limits for one client.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The server's name, the first item of `server.version`.
    pub software: String,
    /// The texts in force at the start.
    pub texts: Texts,
    /// The hash of the first block, by which clients recognise the network.
    pub genesis_hash: BlockHash,
    /// The names for `server.features`; may be empty.
    pub hosts: Vec<Host>,
    /// Most scripts that one client may watch.
    pub max_subscriptions: usize,
    /// Most outpoints that one client may watch.
    pub max_outpoints: usize,
    /// Most scripts and outpoints that all clients together may watch.
    pub max_watched: usize,
}

impl SessionConfig {
    /// The default configuration for the network with this first block.
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

/// Texts of the operator for clients; they can be changed while hekte runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// The text that wallets show on their console.
    pub banner: String,
    /// An address for donations; empty if there is none.
    pub donation_address: String,
}

impl Texts {
    /// The two texts with this wording.
    pub fn of(banner: &str, donation_address: &str) -> Texts {
        Texts { banner: banner.to_owned(), donation_address: donation_address.to_owned() }
    }
}
