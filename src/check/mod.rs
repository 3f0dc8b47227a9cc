//! `hekte check`: whether everything is in place, one finding per line, each with its remedy.

mod files;
mod machine;
mod node;
pub mod report;
mod setup;

use self::report::Report;
use crate::config::Config;

/// Checks everything without changing anything. It never fails, as failures become findings.
pub fn run(config: &Config) -> Report {
    let mut report = Report::default();
    // bitcoind is asked first: it knows a custom signet's magic and the time of the newest block
    let mut about_node = Report::default();
    let facts = node::look(config, &mut about_node);
    let magic = facts.as_ref().map_or(config.magic, |facts| facts.magic);
    let newest_block_time = facts.as_ref().and_then(|facts| facts.info.time);

    setup::look(config, &mut report);
    let block_bytes = files::look(config, magic, &mut report);
    machine::look(config, block_bytes, newest_block_time, &mut report);
    report.append(about_node);
    report
}
