//! What one search of a history may cost: transactions and time.

use std::time::{Duration, Instant};

use super::answers::{Answer, QueryError};

/// What one search of a history may cost.
#[derive(Clone, Copy, Debug)]
pub struct SearchLimit {
    /// Most transactions in one history.
    pub max_transactions: u32,
    /// When the answer must be there.
    pub deadline: Instant,
    /// The time from the beginning to the deadline, for the message.
    seconds: u64,
}

impl SearchLimit {
    /// The limit of a search that begins now.
    pub fn from_now(max_transactions: u32, time: Duration) -> SearchLimit {
        SearchLimit { max_transactions, deadline: Instant::now() + time, seconds: time.as_secs() }
    }

    /// An error once the time is over.
    pub fn check_time(&self) -> Answer<()> {
        if Instant::now() < self.deadline {
            return Ok(());
        }
        Err(QueryError::TooSlow(format!(
            "history too large: not read within {} seconds; ask again, or raise query_time on \
             the server",
            self.seconds
        )))
    }

    /// An error if a history has more than the transactions allowed.
    pub fn check_count(&self, count: usize) -> Answer<()> {
        if count <= self.max_transactions as usize {
            return Ok(());
        }
        Err(QueryError::TooLong(format!(
            "history too large: more than the {} transactions this server answers; raise \
             max_history on the server",
            self.max_transactions
        )))
    }
}
