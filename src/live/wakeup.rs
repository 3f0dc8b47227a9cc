//! Wakes a sleeping thread when there is work for it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::host::lock::lock;

/// One thread sleeps on it, others wake it. A call while nobody sleeps is remembered, once.
#[derive(Debug, Default)]
pub struct Wakeup {
    called: Mutex<bool>,
    condition: Condvar,
}

impl Wakeup {
    /// Wakes the thread, or keeps it from falling asleep the next time.
    pub fn wake(&self) {
        *lock(&self.called) = true;
        self.condition.notify_all();
    }

    /// Sleeps until it is woken, `time` at most; returns whether it was woken.
    pub fn wait(&self, time: Duration) -> bool {
        let called = lock(&self.called);
        let waited = self.condition.wait_timeout_while(called, time, |called| !*called);
        let (mut called, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *called)
    }
}
