//! What a client watches, and the status it was last told of each item.

use std::collections::HashMap;

use bitcoin::OutPoint;

use crate::hash::sha256;
use crate::ids::{Prefix, ScriptHash};
use crate::live::tip::{Tip, TipChange};
use crate::protocol::method::Naming;
use crate::query::answers::{OutpointStatus, Status};

/// A watched script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptWatch {
    /// The family of methods it was subscribed with; its notifications use that family, too.
    pub naming: Naming,
    /// The status that the client was last told.
    pub told: Status,
    /// Whether the last check failed.
    pub stale: bool,
}

/// A watched outpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutpointWatch {
    /// The status that the client was last told.
    pub told: OutpointStatus,
    /// Whether the last check failed.
    pub stale: bool,
}

/// A watched item to check again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// A script, whose status may have changed.
    Script(ScriptHash),
    /// An outpoint, whose funding or spending may have changed.
    Outpoint(OutPoint),
}

/// Everything that a client watches.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// The tip that the client was last told, if it subscribed to tips.
    pub tip_told: Option<Tip>,
    /// The watched scripts by their hashes.
    pub scripts: HashMap<ScriptHash, ScriptWatch>,
    /// The watched outpoints.
    pub outpoints: HashMap<OutPoint, OutpointWatch>,
}

impl Subscriptions {
    /// The items to check after a change: those that it may concern, and those whose last check
    /// failed. An outpoint may change when its funding transaction is touched, or when its script
    /// is, since the spending transaction touches the script.
    pub fn concerned(&self, change: &TipChange) -> Vec<Watched> {
        let touched = |prefix: Prefix| change.touched.touches(prefix);
        let scripts = self.scripts.iter();
        let scripts = scripts
            .filter(|(script, watch)| watch.stale || touched(script.prefix()))
            .map(|(script, _)| Watched::Script(*script));
        let outpoints = self.outpoints.iter().filter(|(out, watch)| {
            let funder = Prefix::of_txid(&out.txid);
            watch.stale || touched(funder) || watch.told.script.is_some_and(touched)
        });
        scripts.chain(outpoints.map(|(out, _)| Watched::Outpoint(*out))).collect()
    }

    /// The items whose last check failed.
    pub fn stale(&self) -> Vec<Watched> {
        let scripts = self.scripts.iter().filter(|(_, watch)| watch.stale);
        let outpoints = self.outpoints.iter().filter(|(_, watch)| watch.stale);
        scripts
            .map(|(script, _)| Watched::Script(*script))
            .chain(outpoints.map(|(outpoint, _)| Watched::Outpoint(*outpoint)))
            .collect()
    }

    /// The number of watched scripts and outpoints.
    pub fn len(&self) -> usize {
        self.scripts.len().saturating_add(self.outpoints.len())
    }

    /// Whether no script and no outpoint is watched.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The status for a watched history that has grown past the limit. No real history has this status,
/// so the client asks for the history and gets the error that it is too long. A null would mean
/// "never used".
pub fn too_long_status(script: &ScriptHash) -> Status {
    Some(sha256(&[&b"history too long:"[..], &script.0].concat()))
}
