//! What SIGHUP does: reads the configuration again, applies the settings that can change while
//! hekte runs, and names the others that have changed.

use log::{error, info, warn};

use crate::cli::{self, Parsed};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::host::{log as host_log, notify};
use crate::session::config::Texts;
use crate::session::hub::SessionHub;

/// Settings that take effect at once.
const RELOADABLE: [&str; 3] = ["log_level", "banner", "donation_address"];

/// Reads all layers again; on an error everything stays as it is. `old` is the configuration of the
/// start, which stays in force for the settings that wait for the next one.
pub fn reload(old: &Config, sessions: Option<&SessionHub>) {
    notify::reloading();
    match read() {
        Ok(new) => apply(old, &new, sessions),
        Err(error) => error!("the configuration stays as it was: {error}"),
    }
    notify::ready();
}

fn read() -> Result<Config> {
    match cli::parse(std::env::args_os(), std::env::vars_os())? {
        Parsed::Do(_, config) => Ok(*config),
        Parsed::Print(_) => Err(Error::Software("a command line that changed".into())),
    }
}

fn apply(old: &Config, new: &Config, sessions: Option<&SessionHub>) {
    host_log::set_level(new.log_level);
    if let Some(sessions) = sessions {
        sessions.set_texts(Texts::of(&new.banner, &new.donation_address));
    }
    info!("configuration read again; in force at once: {}", RELOADABLE.join(", "));
    for name in new.changed_since(old).into_iter().filter(|name| !RELOADABLE.contains(name)) {
        warn!("{name} has changed, which takes effect at the next start");
    }
}
