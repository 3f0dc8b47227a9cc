//! The unspent outputs of scripts that clients watch: who must be told when one is spent.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::host::lock::lock;
use crate::ids::{OutPoint, Prefix};
use crate::limits::WATCHED_COINS_MAX;

use super::touched::TouchedList;

/// Outputs and the prefix of their script. Entries may be stale, which costs a needless look.
#[derive(Debug, Default)]
pub struct WatchedCoins {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    by_out: BTreeMap<OutPoint, Prefix>,
    /// Fewer than usual, where memory is short.
    at_most: Option<usize>,
    /// More coins than `at_most` were watched, so they were forgotten. Until every watched script
    /// has been asked for again, each spend must be treated as touching every script.
    forgot: bool,
}

impl WatchedCoins {
    /// Remembers no more than so many outputs.
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

    /// Adds to `touched` the scripts whose outputs are among `spent`: any, if coins were
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
