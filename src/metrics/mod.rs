//! What is counted while hekte works: numbers that any thread may raise without waiting.

pub mod histogram;
pub mod page;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use self::histogram::Timings;

/// Clients that are connected now.
pub static CLIENTS: Number = Number::new();
/// Clients let in since the start.
pub static CLIENTS_ACCEPTED: Number = Number::new();
/// Clients turned away since the start, because there were too many.
pub static CLIENTS_REFUSED: Number = Number::new();
/// Bytes that clients sent.
pub static CLIENT_BYTES_READ: Number = Number::new();
/// Bytes that were sent to clients.
pub static CLIENT_BYTES_WRITTEN: Number = Number::new();
/// Clients' questions by method: how long the answer took, the wait for a free thread left out.
pub static QUERIES: Timings = Timings::new();
/// Those of them that ended in an error.
pub static QUERY_ERRORS: Number = Number::new();
/// bitcoind's answers by method, refusals included.
pub static RPC: Timings = Timings::new();
/// Calls that bitcoind did not answer.
pub static RPC_FAILURES: Number = Number::new();
/// When bitcoind answered last, in Unix seconds; 0 if never.
pub static RPC_ANSWERED: Number = Number::new();

/// A number that goes up and down, or only up.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    /// Zero.
    pub const fn new() -> Number {
        Number(AtomicU64::new(0))
    }

    /// Adds.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Sets it to the present moment in Unix seconds.
    pub fn set_to_now(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.0.store(now, Ordering::Relaxed);
    }

    /// One more until what comes back is dropped.
    pub fn count_one(&'static self) -> CountedOne {
        self.add(1);
        CountedOne(self)
    }

    /// What it stands at.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts one less when it is dropped.
#[derive(Debug)]
pub struct CountedOne(&'static Number);

impl Drop for CountedOne {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
