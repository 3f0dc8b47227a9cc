//! The one immutable configuration, made from defaults, file, environment and flags.

pub mod defaults;
mod during_ibd;
mod layers;
pub mod layout;
pub mod network;
pub mod node;
pub mod settings;
pub mod units;
mod values;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use log::LevelFilter;

use self::layers::Layers;
use self::layout::Layout;
use self::network::Network;
use self::node::NodeConfig;
use self::settings::Flags;
use crate::error::{Error, Result};
use crate::host::access;

pub use self::during_ibd::DuringIbd;
pub use self::layers::DEFAULT_FILE;

/// All settings, valid and complete.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain that is indexed.
    pub network: Network,
    /// The bytes in front of each block in the block files.
    pub magic: [u8; 4],
    /// True if the magic of a custom signet was set; if not, bitcoind may still name one.
    pub magic_was_set: bool,
    /// bitcoind's folder of this network, which holds its cookie.
    pub network_dir: PathBuf,
    /// Where the blk, rev and xor files are, or will be.
    pub blocks_dir: PathBuf,
    /// The folder of our own files; the index has a folder of its own in it, see
    /// [`Config::index_dir`].
    pub data_dir: PathBuf,
    /// How to reach bitcoind's RPC; `None` when offline.
    pub node: Option<NodeConfig>,
    /// The addresses that serve the Electrum protocol; never empty. Port 0 takes any free one.
    pub listen: Vec<SocketAddr>,
    /// The address that serves metrics and probes, if there is one.
    pub metrics: Option<SocketAddr>,
    /// A file that exists only while the index's disk is mounted.
    pub require_marker: Option<PathBuf>,
    /// The memory budget of the whole process in bytes.
    pub memory_bytes: u64,
    /// Build the index, then exit.
    pub sync_only: bool,
    /// Delete the index first.
    pub rebuild: bool,
    /// Whether to index during bitcoind's first download.
    pub index_during_ibd: DuringIbd,
    /// Most entries that an answered history may have.
    pub max_history: u32,
    /// Longest time to read the history of one script.
    pub query_time: Duration,
    /// Most clients at once.
    pub max_clients: u32,
    /// Most subscriptions of one client.
    pub max_subscriptions: u32,
    /// What `server.banner` answers.
    pub banner: String,
    /// What `server.donation_address` answers; empty for none.
    pub donation_address: String,
    /// What `server.version` answers.
    pub server_name: String,
    /// The least important lines to log.
    pub log_level: LevelFilter,
    /// Whether log lines begin with the time.
    pub log_timestamps: bool,
    /// The lines of [`Config::explain`] about each setting that somebody set.
    sources: Vec<String>,
    /// Each setting that somebody set, as it was given.
    given: BTreeMap<&'static str, Vec<String>>,
}

impl Config {
    /// Reads all layers and checks the outcome as a whole.
    ///
    /// `file` is what `--config` named. Errors: `Usage` about flags,
    /// `Config` about the rest; they name the layer and what to do.
    pub fn load(
        flags: &Flags,
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Config> {
        let layers = Layers::collect(flags, file, environment)?;
        let network = layers.get("network", Network::parse)?.unwrap_or(defaults::NETWORK);
        let magic = values::signet_magic(&layers, network)?;
        let Layout { network_dir, blocks_dir } = values::folders(&layers, network)?;
        let offline = layers.get("offline", units::yes_no)?.unwrap_or(false);
        let text = |text: &str| Ok(text.to_string());
        let number = |name, default| -> Result<u32> {
            Ok(layers.get(name, units::count(100_000_000))?.unwrap_or(default))
        };
        Ok(Config {
            network,
            magic: magic.unwrap_or(network.magic()),
            magic_was_set: magic.is_some(),
            node: node::resolve(&layers, offline, network, &network_dir)?,
            network_dir,
            blocks_dir,
            data_dir: values::data_dir(&layers)?,
            listen: values::listen(&layers, network)?,
            metrics: values::metrics(&layers)?,
            require_marker: layers.get("require_marker", units::path)?,
            memory_bytes: values::memory_budget(&layers)?,
            sync_only: layers.get("sync_only", units::yes_no)?.unwrap_or(false),
            rebuild: layers.get("rebuild", units::yes_no)?.unwrap_or(false),
            index_during_ibd: layers
                .get("index_during_ibd", DuringIbd::parse)?
                .unwrap_or(defaults::INDEX_DURING_IBD),
            max_history: number("max_history", defaults::MAX_HISTORY)?,
            query_time: layers
                .get("query_time", values::query_time)?
                .unwrap_or(defaults::QUERY_TIME),
            max_clients: number("max_clients", defaults::MAX_CLIENTS)?,
            max_subscriptions: number("max_subscriptions", defaults::MAX_SUBSCRIPTIONS)?,
            banner: layers.get("banner", text)?.unwrap_or_else(|| defaults::BANNER.into()),
            donation_address: layers.get("donation_address", text)?.unwrap_or_default(),
            server_name: layers
                .get("server_name", text)?
                .unwrap_or_else(|| defaults::SERVER_NAME.into()),
            log_level: layers.get("log_level", values::log_level)?.unwrap_or(defaults::LOG_LEVEL),
            log_timestamps: values::log_timestamps(&layers)?,
            sources: values::sources(&layers),
            given: values::given(&layers),
        })
    }

    /// True if hekte works from the files alone, without bitcoind.
    pub fn offline(&self) -> bool {
        self.node.is_none()
    }

    /// The folder of this network's index, which holds nothing else: deleting it rebuilds.
    pub fn index_dir(&self) -> PathBuf {
        self.data_dir.join(self.network.name()).join("index")
    }

    /// The settings whose given value differs from the one in `old`, or that only one of the two
    /// sets.
    pub fn changed_since(&self, old: &Config) -> Vec<&'static str> {
        let names = settings::NAMES.iter().copied();
        names.filter(|name| self.given.get(name) != old.given.get(name)).collect()
    }

    /// Ok if the marker file exists, or no marker is required.
    ///
    /// Errors: `NoInput`, as the disk that the index belongs on is probably not mounted.
    pub fn verify_marker(&self) -> Result<()> {
        let Some(marker) = self.require_marker.as_ref().filter(|marker| !marker.exists()) else {
            return Ok(());
        };
        Err(Error::NoInput(format!(
            "the marker {} is not there: the disk for the index is not mounted, or not the one -> \
             mount it; if this is the right disk, make the marker once: touch {}",
            marker.display(),
            access::quoted(marker)
        )))
    }

    /// Lines for the debug log: the settings in force, and where those that were set came from.
    /// They hold no secrets.
    pub fn explain(&self) -> Vec<String> {
        let mut lines = vec![
            format!("network {}, magic {:02x?}", self.network, self.magic),
            format!(
                "blocks in {}, index in {}",
                self.blocks_dir.display(),
                self.index_dir().display()
            ),
            match &self.node {
                Some(node) => format!("bitcoind at {} as {:?}", node.url, node.auth),
                None => "offline".into(),
            },
            format!("memory {}, listen {:?}", units::show_size(self.memory_bytes), self.listen),
        ];
        lines.push(format!(
            "at most {} clients, {} subscriptions each, {} entries per history, {:?} per question",
            self.max_clients, self.max_subscriptions, self.max_history, self.query_time
        ));
        lines.extend(self.sources.iter().cloned());
        lines
    }
}
