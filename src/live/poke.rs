//! A bell: one thread sleeps by it, others ring it when there is work.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Remembers one ring.
#[derive(Debug, Default)]
pub struct Poke {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Poke {
    /// Rings.
    pub fn poke(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    /// Sleeps until rung, `time` at most; whether it was.
    pub fn wait(&self, time: Duration) -> bool {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.bell.wait_timeout_while(rung, time, |rung| !*rung);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *rung)
    }
}
