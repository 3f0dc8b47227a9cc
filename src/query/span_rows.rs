//! The rows of spans that were read last, shared by all threads that answer questions. Each row
//! says where some 9000 transactions stand, so a few MB of rows save most histories one read from
//! the disk for each entry.

use std::num::NonZero;
use std::sync::{Arc, Mutex};

use lru::LruCache;

use crate::error::Result;
use crate::host::lock::lock;
use crate::index::pages::{item_of, row_of};
use crate::index::spans::SpanItem;
use crate::limits::ROW_BYTES_MAX;
use crate::store::open::Db;
use crate::store::records::ItemTable;

/// Bytes that a cached row takes: the largest row, and its entry in the cache.
const ROW_BYTES: usize = ROW_BYTES_MAX + 100;

/// A cache of rows, of one generation of the database.
pub struct SpanRows {
    rows: Mutex<Generation>,
}

struct Generation {
    /// The generation that the rows are of; in any other one they may have changed.
    number: i64,
    rows: LruCache<i64, Arc<[u8]>>,
}

impl SpanRows {
    /// Holds up to about `bytes`.
    pub fn new(bytes: usize) -> SpanRows {
        let rows = NonZero::new(bytes / ROW_BYTES).unwrap_or(NonZero::<usize>::MIN);
        SpanRows { rows: Mutex::new(Generation { number: 0, rows: LruCache::new(rows) }) }
    }

    /// An item of table `spans` as it is in that generation, which is the one that `db` sees;
    /// `None` if it is not there.
    pub fn item(&self, db: &Db, generation: i64, item: u64) -> Result<Option<SpanItem>> {
        let key = row_of(SpanItem::BYTES, item);
        let row = match self.get(generation, key) {
            Some(row) => row,
            None => {
                let row: Arc<[u8]> = db.row(ItemTable::Spans, key)?.unwrap_or_default().into();
                self.put(generation, key, row.clone());
                row
            }
        };
        Ok(item_of(&row, item).map(SpanItem::decode))
    }

    /// The row `key` as it is in that generation, if it is cached.
    fn get(&self, generation: i64, key: i64) -> Option<Arc<[u8]>> {
        let mut held = lock(&self.rows);
        if held.number != generation {
            return None;
        }
        held.rows.get(&key).cloned()
    }

    /// Keeps a row that was read in that generation, unless rows of a newer one are cached.
    fn put(&self, generation: i64, key: i64, row: Arc<[u8]>) {
        let mut held = lock(&self.rows);
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
