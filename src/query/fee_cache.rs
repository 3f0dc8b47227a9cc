//! A small cache for bitcoind's fee figures, which every wallet asks for at every block.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Instant;

use crate::host::lock::lock;
use crate::ids::HeaderBytes;
use crate::limits::FEE_CACHE_AGE;

/// bitcoind's last answers to questions of one kind; each is good for one tip and a short while.
#[derive(Debug)]
pub struct FeeCache<Q, A> {
    kept: Mutex<HashMap<Q, (HeaderBytes, Instant, A)>>,
}

impl<Q, A> Default for FeeCache<Q, A> {
    fn default() -> Self {
        FeeCache { kept: Mutex::default() }
    }
}

impl<Q: Hash + Eq, A: Clone> FeeCache<Q, A> {
    /// The kept answer if it is still good, otherwise that of `ask`, which is then kept unless it
    /// is an error.
    pub fn get<E>(
        &self,
        question: Q,
        tip: &HeaderBytes,
        ask: impl FnOnce() -> Result<A, E>,
    ) -> Result<A, E> {
        let lock = || lock(&self.kept);
        if let Some((at_tip, since, answer)) = lock().get(&question)
            && at_tip == tip
            && since.elapsed() < FEE_CACHE_AGE
        {
            return Ok(answer.clone());
        }
        // the lock is free while bitcoind is asked: a slow answer must not delay those that are
        // kept
        let answer = ask()?;
        lock().insert(question, (*tip, Instant::now(), answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_once_for_each_tip() {
        let cache = FeeCache::default();
        let get = |tip: u8, answer: Result<i32, ()>| cache.get(2, &[tip; 80], || answer);
        assert_eq!(get(1, Err(())), Err(()));
        assert_eq!(get(1, Ok(10)), Ok(10));
        assert_eq!(get(1, Ok(11)), Ok(10));
        assert_eq!(get(2, Ok(12)), Ok(12));
    }
}
