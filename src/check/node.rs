//! Findings about bitcoind: whether it answers, accepts our login, is the right one, is in sync.

use std::time::Duration;

use super::findings::Findings;
use crate::config::network::Network;
use crate::config::{Config, DuringIbd};
use crate::host::disk::{self, Storage};
use crate::node::fits::{self, NodeFacts};
use crate::node::rpc::Rpc;

/// How long bitcoind may be silent. An operator is waiting, so this is shorter than in service.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Asks bitcoind. `None` if offline or if bitcoind cannot be used; the report then says why.
pub fn look(config: &Config, findings: &mut Findings) -> Option<NodeFacts> {
    let Some(node) = &config.node else {
        findings.ok("rpc", "offline: bitcoind is not asked, stored undo data is trusted");
        return None;
    };
    let rpc = Rpc::new(node).with_timeout(TIMEOUT);
    let facts = match fits::check(&rpc, config) {
        Ok(facts) => facts,
        Err(error) => {
            findings.error("rpc", &error);
            return None;
        }
    };
    let version = facts.network.as_ref().map_or("", |network| network.subversion.as_str());
    findings.ok("rpc", format!("{} answers on {} {version}", node.url, config.network));
    progress(config, &rpc, &facts, findings);
    Some(facts)
}

fn progress(config: &Config, rpc: &Rpc, facts: &NodeFacts, findings: &mut Findings) {
    let info = &facts.info;
    let (at, of) = (info.blocks, info.headers.max(info.blocks));
    match rpc.background_height(info) {
        Ok(Some(height)) => findings.warning(
            "chain",
            format!(
                "bitcoind works from a snapshot and has checked blocks up to {height} of {at} -> \
                 hekte indexes along and serves once all are checked"
            ),
        ),
        Ok(None) if info.initial_block_download => {
            let plan = match (config.index_during_ibd, disk::storage(&config.blocks_dir)) {
                // a regtest chain has no other nodes, so it does not matter that its node believes
                // to be behind
                _ if config.network == Network::Regtest => "hekte indexes along",
                (DuringIbd::Never, _) => "hekte waits until it is done",
                (DuringIbd::Auto, Storage::Rotating) => {
                    "on this rotating disk hekte waits until it is done"
                }
                (DuringIbd::Auto, Storage::Card) => {
                    "on this SD card or eMMC hekte waits until it is done"
                }
                (DuringIbd::Always | DuringIbd::Auto, _) => "hekte indexes along",
            };
            let text = format!("bitcoind is in its first download, at block {at} of {of}");
            findings.warning("chain", format!("{text} -> {plan}"));
        }
        Ok(None) => findings.ok("chain", format!("bitcoind is at block {at} of {of}")),
        Err(error) => findings.warning("chain", error.to_string()),
    }
}
