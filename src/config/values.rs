//! Settings that need more than parsing: a computed default, limits, conflicts with others.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;

use super::defaults;
use super::layers::Layers;
use super::layout::{self, Layout};
use super::network::{self, Network};
use super::settings::NAMES;
use super::units;
use crate::error::{Error, Result};
use crate::host::{access, log as host_log, memory};

/// With less memory nothing useful fits: SQLite, a block of 4 MB and its undo data, a few buffers.
const MIN_MEMORY_BYTES: u64 = 64 << 20;

/// bitcoind's folders, found from those that the operator named.
pub fn folders(layers: &Layers, network: Network) -> Result<Layout> {
    let bitcoin_dir = layers.get("bitcoin_dir", units::path)?;
    let blocks_dir = layers.get("blocks_dir", units::path)?;
    let blocks = blocks_dir.map(|dir| layout::find(&dir, network));
    match (bitcoin_dir, blocks) {
        (Some(dir), Some(blocks)) => {
            Ok(Layout { blocks_dir: blocks.blocks_dir, ..layout::find(&dir, network) })
        }
        (Some(dir), None) => Ok(layout::find(&dir, network)),
        (None, Some(blocks)) => Ok(blocks),
        (None, None) => {
            let home =
                units::home().map_err(|text| Error::Config(format!("bitcoin_dir: {text}")))?;
            Ok(layout::find(&home.join(".bitcoin"), network))
        }
    }
}

/// The magic of a custom signet, if one was set.
pub fn signet_magic(layers: &Layers, network: Network) -> Result<Option<[u8; 4]>> {
    let challenge = layers.get("signet_challenge", units::hex)?;
    let magic = layers.get("signet_magic", |text| {
        <[u8; 4]>::try_from(units::hex(text)?)
            .map_err(|_| format!("`{text}` is not 4 bytes of hex"))
    })?;
    let from_challenge = challenge.map(|challenge| network::signet_magic(&challenge));
    let name = if from_challenge.is_some() { "signet_challenge" } else { "signet_magic" };
    let source = layers.source(name);
    match (magic, from_challenge) {
        (None, None) => Ok(None),
        _ if network != Network::Signet => {
            Err(source.error(format!("{name} is set, but network is {network} -> drop one")))
        }
        (Some(magic), Some(other)) if magic != other => Err(source.error(format!(
            "signet_challenge gives the magic {other:02x?}, signet_magic says {magic:02x?} -> \
             drop signet_magic"
        ))),
        (magic, from_challenge) => Ok(magic.or(from_challenge)),
    }
}

/// The folder of our own files.
pub fn data_dir(layers: &Layers) -> Result<PathBuf> {
    if let Some(dir) = layers.get("data_dir", units::path)? {
        return Ok(dir);
    }
    let system = PathBuf::from("/var/lib/hekte");
    let ours = system.is_dir() && access::writable(&system).is_ok();
    if ours || access::we_are_root() {
        return Ok(system);
    }
    let home = units::home().map_err(|text| Error::Config(format!("data_dir: {text}")))?;
    Ok(home.join(".hekte"))
}

/// The addresses to serve the Electrum protocol on.
pub fn listen(layers: &Layers, network: Network) -> Result<Vec<SocketAddr>> {
    let addresses: Vec<SocketAddr> = layers.list("listen", |text| {
        text.parse().map_err(|_| {
            format!(
                "`{text}` is no address and port -> write it like 127.0.0.1:50001 or [::]:50001"
            )
        })
    })?;
    if addresses.is_empty() {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        return Ok(vec![SocketAddr::new(here, network.electrum_port())]);
    }
    let mut seen = BTreeSet::new();
    match addresses.iter().find(|address| address.port() != 0 && !seen.insert(**address)) {
        Some(twice) => {
            Err(layers.source("listen").error(format!("listen: {twice} is there twice")))
        }
        None => Ok(addresses),
    }
}

/// The address to serve metrics on; `None` if they are off.
pub fn metrics(layers: &Layers) -> Result<Option<SocketAddr>> {
    let set = layers.get("metrics", |text| match text {
        "off" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            format!("`{text}` is no address and port -> write it like 127.0.0.1:4224, or off")
        }),
    })?;
    Ok(set.unwrap_or(Some(defaults::METRICS)))
}

/// The budget for the whole process in bytes.
pub fn memory_budget(layers: &Layers) -> Result<u64> {
    layers
        .get("memory", |text| match units::size(text)? {
            bytes if bytes < MIN_MEMORY_BYTES => {
                Err(format!("{text} is too little -> at least 64MiB, better 256MiB"))
            }
            bytes => Ok(bytes),
        })
        .map(|set| set.unwrap_or(default_memory(memory::ram_bytes(), memory::cgroup_limit_bytes())))
}

/// A quarter of the RAM, as bitcoind and other programs need memory too. Of a memory limit set for
/// hekte it is three quarters, as the page cache counts against the limit.
fn default_memory(ram: Option<u64>, limit: Option<u64>) -> u64 {
    let wanted = (ram.unwrap_or(1 << 30) / 4).clamp(256 << 20, 1 << 30);
    wanted.min(limit.map_or(u64::MAX, |limit| limit / 4 * 3)).max(MIN_MEMORY_BYTES)
}

/// The longest time to read the history of one script.
pub fn query_time(text: &str) -> std::result::Result<Duration, String> {
    match units::time(text)? {
        time if time.is_zero() => Err("0 leaves no time for any answer -> at least 1s".into()),
        time => Ok(time),
    }
}

/// The least important lines to log.
pub fn log_level(text: &str) -> std::result::Result<LevelFilter, String> {
    text.parse().map_err(|_| format!("`{text}` -> error, warn, info, debug or trace"))
}

/// Whether log lines carry the time.
pub fn log_timestamps(layers: &Layers) -> Result<bool> {
    let set = layers.get("log_timestamps", |text| match text {
        defaults::LOG_TIMESTAMPS => Ok(None),
        text => units::yes_no(text).map(Some).map_err(|text| format!("{text} nor auto")),
    })?;
    Ok(set.flatten().unwrap_or(!host_log::under_journald()))
}

/// Each setting that somebody set, as it was given.
pub fn given(layers: &Layers) -> BTreeMap<&'static str, Vec<String>> {
    let set = NAMES.iter().filter(|name| layers.source(name).rank() > 0);
    set.map(|name| (*name, layers.raw(name).to_vec())).collect()
}

/// Each setting that somebody set, as "name = value (where)"; none of them holds a secret.
pub fn sources(layers: &Layers) -> Vec<String> {
    let set = NAMES.iter().filter(|name| layers.source(name).rank() > 0);
    set.map(|name| format!("{name} = {} ({})", layers.raw(name).join(", "), layers.source(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_the_machine() {
        let gib = |n: u64| Some(n << 30);
        assert_eq!(default_memory(gib(4), None), 1 << 30);
        assert_eq!(default_memory(gib(2), None), 512 << 20);
        assert_eq!(default_memory(gib(1), None), 256 << 20);
        assert_eq!(default_memory(gib(64), None), 1 << 30);
        assert_eq!(default_memory(gib(8), gib(1)), 768 << 20);
        assert_eq!(default_memory(gib(8), Some(64 << 20)), MIN_MEMORY_BYTES);
        assert_eq!(default_memory(None, None), 256 << 20);
    }
}
