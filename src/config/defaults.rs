//! The settings whose default does not depend on the machine; each value stands here once.
//!
//! `--help` is generated from them, and `tests/config` holds hekte.toml, README.md and
//! docs/protocol.md to them. Defaults that depend on the machine are worked out in `values`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use log::LevelFilter;

use super::during_ibd::DuringIbd;
use super::network::Network;
use crate::limits;

pub const NETWORK: Network = Network::Bitcoin;
/// Dashboards that know electrs look for metrics at this address.
pub const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4224);
pub const MAX_HISTORY: u32 = 100_000;
pub const QUERY_TIME: Duration = Duration::from_secs(20);
pub const MAX_CLIENTS: u32 = limits::MAX_CLIENTS as u32;
pub const MAX_SUBSCRIPTIONS: u32 = limits::MAX_SCRIPTS_WATCHED_PER_CLIENT as u32;
pub const BANNER: &str = "Welcome to hekte";
/// Sparrow sends batches only to names it knows, for example those that contain "electrumx", and
/// dashboards read the version after the slash.
pub const SERVER_NAME: &str =
    concat!("hekte/", env!("CARGO_PKG_VERSION"), " (electrumx-compatible)");
pub const INDEX_DURING_IBD: DuringIbd = DuringIbd::Auto;
pub const LOG_LEVEL: LevelFilter = LevelFilter::Info;
/// A text, since the value that it stands for depends on where the log goes.
pub const LOG_TIMESTAMPS: &str = "auto";

/// The default of a setting as an operator would write it; `None` if the default depends on the
/// machine or on other settings, or if the setting is empty or off until it is set.
pub fn of(setting: &str) -> Option<String> {
    Some(match setting {
        "network" => NETWORK.name().into(),
        "metrics" => METRICS.to_string(),
        "max_history" => MAX_HISTORY.to_string(),
        "query_time" => format!("{}s", QUERY_TIME.as_secs()),
        "max_clients" => MAX_CLIENTS.to_string(),
        "max_subscriptions" => MAX_SUBSCRIPTIONS.to_string(),
        "banner" => BANNER.into(),
        "server_name" => SERVER_NAME.into(),
        "index_during_ibd" => INDEX_DURING_IBD.name().into(),
        "log_level" => LOG_LEVEL.as_str().to_lowercase(),
        "log_timestamps" => LOG_TIMESTAMPS.into(),
        _ => return None,
    })
}

/// The help text of a setting, with its default behind it where that is one short value.
pub fn help(text: &str, setting: &str) -> String {
    let text = text.trim();
    match of(setting) {
        Some(default) if !["banner", "server_name"].contains(&setting) => {
            format!("{text} [default: {default}]")
        }
        _ => text.into(),
    }
}
