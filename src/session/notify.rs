//! A change of the tip to notifications: only for what a client watches, only if it changed.

use bitcoin::OutPoint;
use log::{debug, warn};

use crate::ids::ScriptHash;
use crate::protocol::json::Json;
use crate::protocol::message::notification;
use crate::protocol::reply;
use crate::query::answers::{QueryError, Tip, TipChange};
use crate::session::dispatch::outpoint_json;
use crate::session::subscription::{Watched, too_long_status};
use crate::session::talk::Session;

/// After so many notifications about a block no noise is needed.
const NOISE_BELOW: usize = 2;
/// As long as a notification of a script.
const NOISE_DIGITS: usize = 128;

impl Session {
    /// The notification of the tip, if the client wants it and has not been told.
    pub fn tip_notice(&self) -> Option<String> {
        let tip = self.shared.answers.tip();
        let mut state = self.state();
        let told = state.watching.tip_told.as_mut().filter(|told| **told != tip)?;
        *told = tip;
        let params = Json::array([reply::tip(tip.height, &tip.header)]);
        Some(notification("blockchain.headers.subscribe", params))
    }

    /// The tip to compare later ones with.
    pub fn tip(&self) -> Tip {
        self.shared.answers.tip()
    }

    /// What to say after `told` notifications about a change, so that it cannot be seen from
    /// outside whether a new block concerns this client: a ping to be ignored, as from ElectrumX.
    pub fn noise(&self, new_tip: bool, told: usize) -> Option<String> {
        let wanted = new_tip && told < NOISE_BELOW && self.is_padded();
        let digits = || Json::text(&"0".repeat(NOISE_DIGITS));
        wanted.then(|| notification("server.ping", Json::array([digits()])))
    }

    /// What must be looked at again after a change.
    pub fn concerned(&self, change: &TipChange) -> Vec<Watched> {
        self.state().watching.concerned(change)
    }

    /// What the last look failed for.
    pub fn stale(&self) -> Vec<Watched> {
        self.state().watching.stale()
    }

    /// Looks at each again and gives the notifications for what changed. Blocks on the disk.
    /// What cannot be answered now stays watched and is marked for a later look.
    pub fn recheck(&self, watched: &[Watched]) -> Vec<String> {
        let notices = watched.iter().filter_map(|one| match one {
            Watched::Script(script) => self.recheck_script(script),
            Watched::Outpoint(outpoint) => self.recheck_outpoint(outpoint),
        });
        notices.collect()
    }

    fn recheck_script(&self, script: &ScriptHash) -> Option<String> {
        let answers = &self.shared.answers;
        let look = answers.status(script);
        let mut state = self.state();
        // unsubscribed in the meantime: nothing to tell
        let watch = state.watching.scripts.get_mut(script)?;
        let status = match look {
            Ok(status) => status,
            Err(QueryError::TooLong(_)) => {
                warn!("history of watched script {script} has become too long");
                too_long_status(script)
            }
            Err(error) => {
                debug!("script {script} to be looked at again: {error}");
                watch.stale = true;
                return None;
            }
        };
        watch.stale = false;
        if watch.told == status {
            return None;
        }
        watch.told = status;
        let (method, params) = reply::status_notice(watch.naming, script, status);
        Some(notification(method, params))
    }

    fn recheck_outpoint(&self, outpoint: &OutPoint) -> Option<String> {
        let look = self.shared.answers.outpoint(outpoint);
        let mut state = self.state();
        let watch = state.watching.outpoints.get_mut(outpoint)?;
        watch.stale = look.is_err();
        let status = look.ok()?;
        if watch.told == status {
            return None;
        }
        let params = reply::outpoint_notice(outpoint, outpoint_json(&status));
        watch.told = status;
        Some(notification("blockchain.outpoint.subscribe", params))
    }
}
