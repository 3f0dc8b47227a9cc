//! What one client watches, and the notifications that a change causes: only about what the client
//! watches, and only if its status changed.

use std::sync::{Arc, Mutex, MutexGuard};

use bitcoin::OutPoint;
use log::{debug, warn};

use crate::host::lock::lock;
use crate::ids::ScriptHash;
use crate::live::tip::{Tip, TipChange};
use crate::protocol::json::Json;
use crate::protocol::message::{ErrorObject, ReplyBody, notification};
use crate::protocol::method::Naming;
use crate::protocol::reply;
use crate::query::answers::QueryError;
use crate::session::faults::{client_full, server_full, wire_error};
use crate::session::hub::SessionHub;
use crate::session::subscription::{
    OutpointWatch, ScriptWatch, Subscriptions, Watched, too_long_status,
};

/// A padding ping is sent only if there were fewer notifications than this about one block.
const NOISE_BELOW: usize = 2;
/// With this many digits a ping is as long as the notification about a script.
const NOISE_DIGITS: usize = 128;

/// The subscriptions of one client. When it is dropped, they are subtracted from the hub's count.
pub struct WatchList {
    hub: Arc<SessionHub>,
    subscriptions: Mutex<Subscriptions>,
}

impl WatchList {
    /// The list of a client that watches nothing yet.
    pub fn new(hub: Arc<SessionHub>) -> WatchList {
        WatchList { hub, subscriptions: Mutex::default() }
    }

    /// Locks the subscriptions; the lock is never held while a question is asked.
    fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        lock(&self.subscriptions)
    }

    /// `blockchain.headers.subscribe`
    pub fn subscribe_tip(&self) -> Json {
        let tip = self.hub.answers.tip();
        self.subscriptions().tip_told = Some(tip);
        reply::tip(&tip)
    }

    /// `subscribe` of a script.
    pub fn subscribe_script(&self, script: &ScriptHash, naming: Naming) -> ReplyBody {
        // the limit comes first: a client at its limit must not cost a read of the index
        self.check_script_limit(script)?;
        let told = self.hub.answers.status(script).map_err(wire_error)?;
        let scripts = &mut self.subscriptions().scripts;
        if !scripts.contains_key(script) && !self.hub.watch_one() {
            return Err(server_full());
        }
        scripts.insert(*script, ScriptWatch { naming, told, stale: false });
        Ok(reply::status(told))
    }

    fn check_script_limit(&self, script: &ScriptHash) -> Result<(), ErrorObject> {
        let (scripts, max) = (&self.subscriptions().scripts, self.hub.config.max_subscriptions);
        match scripts.len() >= max && !scripts.contains_key(script) {
            true => Err(client_full(max, "scripts")),
            false => Ok(()),
        }
    }

    /// `unsubscribe` of a script.
    pub fn unsubscribe_script(&self, script: &ScriptHash) -> Json {
        let was = self.subscriptions().scripts.remove(script).is_some();
        self.hub.unwatch(usize::from(was));
        Json::bool(was)
    }

    /// `blockchain.outpoint.subscribe`
    pub fn subscribe_outpoint(&self, outpoint: &OutPoint) -> ReplyBody {
        let told = self.hub.answers.outpoint(outpoint).map_err(wire_error)?;
        let json = reply::outpoint(&told);
        let (outpoints, max) = (&mut self.subscriptions().outpoints, self.hub.config.max_outpoints);
        if !outpoints.contains_key(outpoint) {
            if outpoints.len() >= max {
                return Err(client_full(max, "outpoints"));
            }
            if !self.hub.watch_one() {
                return Err(server_full());
            }
        }
        outpoints.insert(*outpoint, OutpointWatch { told, stale: false });
        Ok(json)
    }

    /// `blockchain.outpoint.unsubscribe`
    pub fn unsubscribe_outpoint(&self, outpoint: &OutPoint) -> Json {
        let was = self.subscriptions().outpoints.remove(outpoint).is_some();
        self.hub.unwatch(usize::from(was));
        Json::bool(was)
    }

    /// The notification of the tip, if the client subscribed to it and has not been told of this
    /// one.
    pub fn tip_notice(&self) -> Option<String> {
        let tip = self.hub.answers.tip();
        let mut subscriptions = self.subscriptions();
        let told = subscriptions.tip_told.as_mut().filter(|told| **told != tip)?;
        *told = tip;
        let params = Json::array([reply::tip(&tip)]);
        Some(notification("blockchain.headers.subscribe", params))
    }

    /// The present tip, to compare later ones with.
    pub fn tip(&self) -> Tip {
        self.hub.answers.tip()
    }

    /// The watched items that must be checked again after a change.
    pub fn concerned(&self, change: &TipChange) -> Vec<Watched> {
        self.subscriptions().concerned(change)
    }

    /// The items whose last check failed.
    pub fn stale(&self) -> Vec<Watched> {
        self.subscriptions().stale()
    }

    /// Checks each item again, and returns the notifications for those that changed. Blocks on the
    /// disk. An item that cannot be checked now stays watched and is marked for a later check.
    pub fn recheck(&self, watched: &[Watched]) -> Vec<String> {
        let notices = watched.iter().filter_map(|one| match one {
            Watched::Script(script) => self.recheck_script(script),
            Watched::Outpoint(outpoint) => self.recheck_outpoint(outpoint),
        });
        notices.collect()
    }

    fn recheck_script(&self, script: &ScriptHash) -> Option<String> {
        let answers = &self.hub.answers;
        let look = answers.status(script);
        let mut subscriptions = self.subscriptions();
        // unsubscribed in the meantime: there is nobody to notify
        let watch = subscriptions.scripts.get_mut(script)?;
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
        let look = self.hub.answers.outpoint(outpoint);
        let mut subscriptions = self.subscriptions();
        let watch = subscriptions.outpoints.get_mut(outpoint)?;
        watch.stale = look.is_err();
        let status = look.ok()?;
        if watch.told == status {
            return None;
        }
        let params = reply::outpoint_notice(outpoint, &status);
        watch.told = status;
        Some(notification("blockchain.outpoint.subscribe", params))
    }
}

impl Drop for WatchList {
    fn drop(&mut self) {
        let watched = self.subscriptions().len();
        self.hub.unwatch(watched);
    }
}

/// A ping to send after `told` notifications about a new block to a client whose replies are
/// padded. It is to be ignored, as with ElectrumX, and hides from an eavesdropper whether the block
/// concerns the client. `None` after so many notifications that there is nothing left to hide.
pub fn noise(told: usize) -> Option<String> {
    let digits = || Json::text(&"0".repeat(NOISE_DIGITS));
    (told < NOISE_BELOW).then(|| notification("server.ping", Json::array([digits()])))
}
