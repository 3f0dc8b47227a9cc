//! Signs of life: each part that must make progress sets a deadline for its next sign.
//!
//! systemd's watchdog is notified only while no part is past its deadline. A part that waits for
//! another one suspends its own deadline; the other part has one of its own.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use crate::host::lock::lock;
use crate::limits::STEP_TIME_MAX;

static PARTS: Mutex<Vec<Weak<Part>>> = Mutex::new(Vec::new());
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Instead of a time: the part has no deadline now.
const RESTS: u64 = u64::MAX;

thread_local! {
    /// The part that this thread works for.
    static OWN: RefCell<Option<Beat>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Part {
    name: String,
    /// The deadline of its next sign, in milliseconds since the first call.
    due: AtomicU64,
}

/// The handle by which a part gives its signs; the part is over when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Beat(Arc<Part>);

impl Beat {
    /// A new part, without a deadline yet.
    pub fn new(name: impl Into<String>) -> Beat {
        let part = Arc::new(Part { name: name.into(), due: AtomicU64::new(RESTS) });
        let mut parts = parts();
        parts.retain(|part| part.strong_count() > 0);
        parts.push(Arc::downgrade(&part));
        Beat(part)
    }

    /// A sign of life; the next one is due within `time`.
    pub fn within(&self, time: Duration) {
        self.0.due.store(millis(BEGUN.elapsed().saturating_add(time)), Ordering::Relaxed);
    }

    /// A sign of life; no next one is due, since the part has nothing to do.
    pub fn rest(&self) {
        self.0.due.store(RESTS, Ordering::Relaxed);
    }

    /// From now on [`step`] and [`waiting`] on this thread speak for this part.
    pub fn speak_for_this_thread(&self) {
        OWN.with(|own| *own.borrow_mut() = Some(self.clone()));
        step();
    }
}

/// The part that this thread speaks for.
pub fn of_this_thread() -> Option<Beat> {
    OWN.with(|own| own.borrow().clone())
}

/// A sign of this thread's part, which is about to do a step of at most [`STEP_TIME_MAX`]. Does
/// nothing on a thread that speaks for no part.
pub fn step() {
    OWN.with(|own| {
        if let Some(beat) = &*own.borrow() {
            beat.within(STEP_TIME_MAX);
        }
    });
}

/// Suspends the deadline of this thread's part while `wait` waits for another part, however long.
pub fn waiting<T>(wait: impl FnOnce() -> T) -> T {
    OWN.with(|own| {
        if let Some(beat) = &*own.borrow() {
            beat.rest();
        }
    });
    let outcome = wait();
    step();
    outcome
}

/// The name of a part that is past its deadline, and since when.
pub fn overdue() -> Option<(String, Duration)> {
    let now = millis(BEGUN.elapsed());
    let parts: Vec<_> = parts().iter().filter_map(Weak::upgrade).collect();
    parts.iter().find_map(|part| {
        let late = now.checked_sub(part.due.load(Ordering::Relaxed)).filter(|late| *late > 0)?;
        Some((part.name.clone(), Duration::from_millis(late)))
    })
}

fn parts() -> MutexGuard<'static, Vec<Weak<Part>>> {
    lock(&PARTS)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(RESTS)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::thread;

    use super::*;

    fn late() -> Option<String> {
        thread::sleep(Duration::from_millis(2));
        overdue().map(|(name, _)| name)
    }

    /// One test, since the list of parts is one for the whole process.
    #[test]
    fn whoever_is_not_heard_of_is_named_and_nobody_else() {
        let (now, long) = (Duration::ZERO, Duration::from_secs(3600));
        let (one, other) = (Beat::new("one"), Beat::new("other"));
        assert_eq!(late(), None, "both rest");
        one.within(now);
        other.within(long);
        assert_eq!(late().as_deref(), Some("one"));
        one.within(long);
        assert_eq!(late(), None);

        // a thread's part: late until the thread takes a step, and not while it waits
        thread::scope(|scope| {
            let worker = || {
                step();
                assert_eq!(late(), None, "this thread speaks for nobody");
                other.speak_for_this_thread();
                other.within(now);
                assert_eq!(late().as_deref(), Some("other"));
                assert_eq!(waiting(late), None);
                other.within(now);
                assert_eq!(late().as_deref(), Some("other"));
                step();
                assert_eq!(late(), None);
                other.within(now);
            };
            scope.spawn(worker).join().unwrap();
        });
        assert_eq!(late().as_deref(), Some("other"), "the thread is gone without a word");
        drop(other);
        assert_eq!(late(), None, "a part that is over is not late");
    }
}
