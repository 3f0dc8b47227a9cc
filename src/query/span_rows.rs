//! The rows of spans that were read last, shared by all threads that answer questions. Each row
//! tells where some 9000 transactions stand, so a few MB of rows save most histories one read an
//! entry.

use std::num::NonZero;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use crate::limits::CHUNK_BYTES_MAX;

/// Bytes of a row in the cache: its own and its place in the table.
const ROW_BYTES: usize = CHUNK_BYTES_MAX + 100;

/// A cache of rows, of one generation of the database.
pub struct SpanRows {
    rows: Mutex<Generation>,
}

struct Generation {
    /// Rows may have changed in another one.
    number: i64,
    rows: LruCache<i64, Arc<[u8]>>,
}

impl SpanRows {
    /// Holds up to about `bytes`.
    pub fn new(bytes: usize) -> SpanRows {
        let rows = NonZero::new(bytes / ROW_BYTES).unwrap_or(NonZero::<usize>::MIN);
        SpanRows { rows: Mutex::new(Generation { number: 0, rows: LruCache::new(rows) }) }
    }

    /// The row of that key as it is in a generation, if it was read.
    pub fn get(&self, generation: i64, key: i64) -> Option<Arc<[u8]>> {
        let mut held = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if held.number != generation {
            return None;
        }
        held.rows.get(&key).cloned()
    }

    /// Keeps a row that was read in a generation.
    pub fn put(&self, generation: i64, key: i64, row: Arc<[u8]>) {
        let mut held = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if held.number > generation {
            return;
        }
        if held.number < generation {
            held.rows.clear();
            held.number = generation;
        }
        held.rows.put(key, row);
    }
}
