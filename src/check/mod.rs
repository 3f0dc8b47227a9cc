//! `hekte check`: is everything in place? One finding per line, each with what to do.

mod files;
pub mod findings;
mod machine;
mod node;
mod setup;

use self::findings::Findings;
use crate::config::Config;

/// Looks at everything without changing anything; never fails, as failures are findings.
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
