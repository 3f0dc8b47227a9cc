//! The unspent outputs of scripts that clients watch: who must be told when one is spent.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::ids::Prefix;
use crate::limits::WATCHED_COINS_MAX;
use crate::mempool::pool::OutRef;

/// Outputs and the prefix of their script. Entries may be stale, which costs a needless look.
#[derive(Debug, Default)]
pub struct WatchedCoins {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    by_out: HashMap<OutRef, Prefix>,
    /// There were too many to hold: any spend may concern any script, until all were asked for
    /// again.
    forgot: bool,
}

impl WatchedCoins {
    /// Notes outputs of a script that is watched.
    pub fn note<'a>(&self, script: Prefix, coins: impl Iterator<Item = &'a OutRef>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for out in coins {
            if held.by_out.len() >= WATCHED_COINS_MAX {
                held.by_out.clear();
                held.forgot = true;
            }
            held.by_out.insert(*out, script);
        }
    }

    /// Adds to `touched` the scripts whose outputs are among `spent`; `false` if that cannot be
    /// told, and every script should be looked at.
    pub fn touched<'a>(
        &self,
        spent: impl Iterator<Item = &'a OutRef>,
        touched: &mut Vec<Prefix>,
    ) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        touched.extend(spent.filter_map(|out| held.by_out.get(out)));
        !std::mem::take(&mut held.forgot)
    }
}
