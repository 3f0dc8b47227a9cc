//! `hekte check`: whether everything is in place, one finding per line, each with its remedy.

mod files;
pub mod findings;
mod machine;
mod node;
mod setup;

use self::findings::Findings;
use crate::config::Config;

/// Checks everything without changing anything. It never fails, as failures become findings.
pub fn run(config: &Config) -> Findings {
    let mut findings = Findings::default();
    // bitcoind is asked first: it knows a custom signet's magic and the time of the newest block
    let mut about_node = Findings::default();
    let facts = node::look(config, &mut about_node);
    let magic = facts.as_ref().map_or(config.magic, |facts| facts.magic);
    let newest_block_time = facts.as_ref().and_then(|facts| facts.info.time);

    setup::look(config, &mut findings);
    let block_bytes = files::look(config, magic, &mut findings);
    machine::look(config, block_bytes, newest_block_time, &mut findings);
    findings.append(about_node);
    findings
}
