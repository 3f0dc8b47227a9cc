//! Wakes a sleeping thread when there is work for it.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::host::lock::lock;

/// One thread waits on this, others wake that thread. If it is awake already, the call is
/// remembered and ends its next wait.
#[derive(Debug, Default)]
pub struct Wakeup {
    called: Mutex<bool>,
    condition: Condvar,
}

impl Wakeup {
    /// Wakes the thread, or ends its next wait at once.
    pub fn wake(&self) {
        *lock(&self.called) = true;
        self.condition.notify_all();
    }

    /// Waits until another thread calls `wake`, `time` at most; returns whether one did.
    pub fn wait(&self, time: Duration) -> bool {
        let called = lock(&self.called);
        let waited = self.condition.wait_timeout_while(called, time, |called| !*called);
        let (mut called, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *called)
    }
}
