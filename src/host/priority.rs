//! Priorities for the processor and the disk: threads that answer go before threads that build.

use std::thread;

use log::debug;

use super::beat;
use crate::error::{Error, Result};

/// The nice value of background work; 19 is the lowest priority. If nothing sets a disk priority,
/// the kernel derives one from this: the lowest of the ordinary ones.
const NICE: i32 = 15;

/// Runs `work` with low priority for processor and disk, and waits for it. It runs on a thread of
/// its own, since a thread without privilege cannot raise its priority again; threads that it
/// starts inherit the low priority.
pub fn in_background<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let beat = beat::of_this_thread();
    let work = move || {
        if let Some(beat) = beat {
            beat.speak_for_this_thread();
        }
        match rustix::process::nice(NICE) {
            Ok(_) => debug!("building with low priority"),
            Err(error) => debug!("building with ordinary priority: {error}"),
        }
        work()
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("build".into()).spawn_scoped(scope, work);
        let thread =
            thread.map_err(|error| Error::Io(format!("cannot start a thread: {error}")))?;
        let joined = thread.join();
        joined.unwrap_or_else(|_| Err(Error::Software("the building thread panicked".into())))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    /// The 19th field of the thread's status; no field before it holds a blank here.
    fn niceness() -> i32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        stat.split_whitespace().nth(18).unwrap().parse().unwrap()
    }

    #[test]
    fn only_the_work_and_its_helpers_step_back() {
        let before = niceness();
        let inside = in_background(|| Ok((niceness(), thread::spawn(niceness).join().unwrap())));
        let low = (before + NICE).min(19);
        assert_eq!(inside.unwrap(), (low, low));
        assert_eq!(niceness(), before);
    }
}
