//! A bell: one thread sleeps by it, others ring it when there is work.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::host::lock::lock;

/// Remembers one ring.
#[derive(Debug, Default)]
pub struct Poke {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Poke {
    /// Rings.
    pub fn poke(&self) {
        *lock(&self.rung) = true;
        self.bell.notify_all();
    }

    /// Sleeps until rung, `time` at most; whether it was.
    pub fn wait(&self, time: Duration) -> bool {
        let rung = lock(&self.rung);
        let waited = self.bell.wait_timeout_while(rung, time, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}
