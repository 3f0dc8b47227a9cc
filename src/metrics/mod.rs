//! The counters of the metrics page, which any thread may change without waiting.

pub mod histogram;
pub mod page;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use self::histogram::Timings;

/// Clients that are connected now.
pub static CLIENTS: Number = Number::new();
/// Clients let in since the start.
pub static CLIENTS_ACCEPTED: Number = Number::new();
/// Clients turned away since the start because too many were connected.
pub static CLIENTS_REFUSED: Number = Number::new();
/// Bytes that clients sent.
pub static CLIENT_BYTES_READ: Number = Number::new();
/// Bytes that were sent to clients.
pub static CLIENT_BYTES_WRITTEN: Number = Number::new();
/// Time to answer a client's question, by method; the wait for a free thread is not included.
pub static QUERIES: Timings = Timings::new();
/// Number of clients' questions that ended in an error.
pub static QUERY_ERRORS: Number = Number::new();
/// Time until bitcoind answered, by method; refusals are included.
pub static RPC: Timings = Timings::new();
/// Calls that bitcoind did not answer.
pub static RPC_FAILURES: Number = Number::new();
/// When bitcoind last answered, in Unix seconds; 0 if never.
pub static RPC_ANSWERED: Number = Number::new();

/// A counter that any thread may change.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    /// A counter at zero.
    pub const fn new() -> Number {
        Number(AtomicU64::new(0))
    }

    /// Adds `count`.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Sets the counter to the present time in Unix seconds.
    pub fn set_to_now(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        self.0.store(now, Ordering::Relaxed);
    }

    /// Counts one more until the returned guard is dropped.
    pub fn count_one(&'static self) -> CountedOne {
        self.add(1);
        CountedOne(self)
    }

    /// The present value.
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
