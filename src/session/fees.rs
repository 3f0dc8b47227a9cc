//! A small cache for bitcoind's fee figures, which every wallet asks for at every block.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use serde_json::Value;

use crate::host::lock::lock;
use crate::ids::HeaderBytes;
use crate::limits::FEE_CACHE_AGE;
use crate::protocol::method::FeeMode;

/// What is asked of bitcoind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeeQuestion {
    /// `estimatesmartfee` for 1 to 1008 blocks, so the cache has at most 3024 of them.
    Estimate(u32, Option<FeeMode>),
    /// `getmempoolinfo`
    MempoolInfo,
}

/// bitcoind's last answers, good for one tip and a short while.
#[derive(Debug, Default)]
pub struct FeeCache {
    kept: Mutex<HashMap<FeeQuestion, (HeaderBytes, Instant, Value)>>,
}

impl FeeCache {
    /// The kept answer, or that of `ask`, which is then kept. Errors are not.
    pub fn get<E>(
        &self,
        question: FeeQuestion,
        tip: &HeaderBytes,
        ask: impl FnOnce() -> Result<Value, E>,
    ) -> Result<Value, E> {
        let lock = || lock(&self.kept);
        if let Some((at_tip, since, value)) = lock().get(&question)
            && at_tip == tip
            && since.elapsed() < FEE_CACHE_AGE
        {
            return Ok(value.clone());
        }
        // asked without the lock: a slow node must not hold up what is known already
        let value = ask()?;
        lock().insert(question, (*tip, Instant::now(), value.clone()));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_once_for_each_tip() {
        let cache = FeeCache::default();
        let get = |tip: u8, answer: Result<i32, ()>| {
            cache.get(FeeQuestion::Estimate(2, None), &[tip; 80], || answer.map(Value::from))
        };
        assert_eq!(get(1, Err(())), Err(()));
        assert_eq!(get(1, Ok(10)), Ok(Value::from(10)));
        assert_eq!(get(1, Ok(11)), Ok(Value::from(10)));
        assert_eq!(get(2, Ok(12)), Ok(Value::from(12)));
    }
}
