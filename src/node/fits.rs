//! Whether bitcoind is the one that the configuration means, and can do what we need.

use super::chain::{BlockchainInfo, NetworkInfo};
use super::rpc::Rpc;
use crate::config::network::{Network, signet_magic};
use crate::config::{Config, units};
use crate::error::{Error, Result};
use crate::ids::Height;

/// What was learnt from a bitcoind that passed the check.
#[derive(Clone, Debug)]
pub struct NodeFacts {
    /// The state of its chain.
    pub info: BlockchainInfo,
    /// Its name and version; `None` if its RPC whitelist does not let us ask.
    pub network: Option<NetworkInfo>,
    /// The bytes in front of each block; those of a custom signet are derived from its challenge.
    pub magic: [u8; 4],
}

/// Checks the bitcoind behind `rpc`.
///
/// Errors: `Config` for another network, another signet or a foreign first block, `Unavailable` for
/// a pruned node; the error of [`Rpc`] if it cannot be asked.
pub fn check(rpc: &Rpc, config: &Config) -> Result<NodeFacts> {
    let info = rpc.blockchain_info()?;
    let wanted = config.network;
    if info.chain != wanted.node_name() {
        let theirs = Network::parse(&info.chain).map_or(&*info.chain, |theirs| theirs.name());
        return Err(Error::Config(format!(
            "bitcoind is on {theirs}, but network is {wanted} -> set network, or rpc_url to the \
             other node"
        )));
    }
    let genesis = rpc.block_hash(Height(0))?;
    if genesis != Some(wanted.genesis_hash()) {
        return Err(Error::Config(format!(
            "bitcoind's first block is {}, not that of {wanted} -> this is another coin's node; \
             set rpc_url to a Bitcoin node",
            genesis.map_or("unknown".into(), |hash| hash.to_string())
        )));
    }
    if info.pruned {
        return Err(Error::Unavailable(
            "bitcoind is pruned, and hekte needs every block -> set prune=0 in bitcoin.conf and \
             restart bitcoind with -reindex, which downloads the chain again"
                .into(),
        ));
    }
    let network = match rpc.network_info() {
        Err(error) if error.is_refused_method() => None,
        network => Some(network?),
    };
    Ok(NodeFacts { magic: magic(&info, config)?, info, network })
}

/// The magic of bitcoind's signet, unless the configuration names another one.
fn magic(info: &BlockchainInfo, config: &Config) -> Result<[u8; 4]> {
    let Some(challenge) = info.signet_challenge.as_deref() else { return Ok(config.magic) };
    let challenge = units::hex(challenge)
        .map_err(|text| Error::Unavailable(format!("bitcoind's signet_challenge: {text}")))?;
    let theirs = signet_magic(&challenge);
    if config.magic_was_set && theirs != config.magic {
        return Err(Error::Config(format!(
            "bitcoind is on the signet with magic {theirs:02x?}, but {:02x?} is configured -> set \
             signet_challenge as in bitcoin.conf, or leave it out",
            config.magic
        )));
    }
    Ok(theirs)
}
