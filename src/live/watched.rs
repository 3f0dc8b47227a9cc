//! The unspent outputs of scripts that clients watch, by which the mempool's spends of them are
//! noticed.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::host::lock::lock;
use crate::ids::{OutPoint, Prefix};
use crate::limits::WATCHED_COINS_MAX;

use super::touched::TouchedList;

/// Outputs and the prefix of their script. An output may be here though its script is no longer
/// watched; then a spend only causes a needless look at the script.
#[derive(Debug, Default)]
pub struct WatchedCoins {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    by_out: BTreeMap<OutPoint, Prefix>,
    /// The most outputs to hold, if memory is too short for [`WATCHED_COINS_MAX`].
    at_most: Option<usize>,
    /// There were too many outputs to hold, so all were forgotten. The next change must be taken to
    /// touch every script: each watched script is then looked at, which notes its outputs anew.
    forgot: bool,
}

impl WatchedCoins {
    /// Remembers at most this many outputs.
    pub fn limit_to(&self, coins: usize) {
        lock(&self.held).at_most = Some(coins);
    }

    /// Notes outputs of a script that is watched.
    pub fn note<'a>(&self, script: Prefix, coins: impl Iterator<Item = &'a OutPoint>) {
        let mut held = lock(&self.held);
        let most = held.at_most.unwrap_or(WATCHED_COINS_MAX);
        for out in coins {
            if held.by_out.len() >= most && !held.by_out.contains_key(out) {
                held.by_out.clear();
                held.forgot = true;
            }
            held.by_out.insert(*out, script);
        }
    }

    /// Adds to `touched` the scripts whose outputs are among `spent`, or "any" if outputs were
    /// forgotten since the last call.
    pub fn touched<'a>(
        &self,
        spent: impl Iterator<Item = &'a OutPoint>,
        touched: &mut TouchedList,
    ) {
        let mut held = lock(&self.held);
        touched.extend(spent.filter_map(|out| held.by_out.get(out).copied()));
        if std::mem::take(&mut held.forgot) {
            touched.add_any();
        }
    }
}
