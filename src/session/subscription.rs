//! What a client watches, and what it was last told of it.

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
    /// The family it was subscribed with; notifications use the same.
    pub naming: Naming,
    /// The last status told.
    pub told: Status,
    /// The last look failed.
    pub stale: bool,
}

/// A watched outpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutpointWatch {
    /// The last status told.
    pub told: OutpointStatus,
    /// The last look failed.
    pub stale: bool,
}

/// One thing to look at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Its status.
    Script(ScriptHash),
    /// Its funding and spending.
    Outpoint(OutPoint),
}

/// All a client watches.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// The last tip told, if the client wants tips.
    pub tip_told: Option<Tip>,
    /// By script hash.
    pub scripts: HashMap<ScriptHash, ScriptWatch>,
    /// By outpoint.
    pub outpoints: HashMap<OutPoint, OutpointWatch>,
}

impl Subscriptions {
    /// What a change may have changed. An outpoint is funded by a transaction and spent by one
    /// that touches its script.
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

    /// What could not be looked at the last time.
    pub fn stale(&self) -> Vec<Watched> {
        let scripts = self.scripts.iter().filter(|(_, watch)| watch.stale);
        let outpoints = self.outpoints.iter().filter(|(_, watch)| watch.stale);
        scripts
            .map(|(script, _)| Watched::Script(*script))
            .chain(outpoints.map(|(outpoint, _)| Watched::Outpoint(*outpoint)))
            .collect()
    }

    /// Scripts and outpoints together.
    pub fn len(&self) -> usize {
        self.scripts.len().saturating_add(self.outpoints.len())
    }

    /// Whether nothing is watched but the tip.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The status told when a watched history has grown past the limit: no history has it, so the
/// client asks for the history and hears that it is too long. A null would say "never used".
pub fn too_long_status(script: &ScriptHash) -> Status {
    Some(sha256(&[&b"history too long:"[..], &script.0].concat()))
}
