//! Finds the postings of one prefix in a run, and proves that there are no others.

use crate::error::{Error, Result};
use crate::ids::{Prefix, ShortPrefix, TxNum};
use crate::index::chunk::{ChunkDecoder, ChunkKey};
use crate::index::rows::RowTable;

use super::error::damaged;
use super::open::Db;
use super::records::RunInfo;

impl Db {
    /// Adds to `txnums` every transaction of a run, from number `from` on, that is filed under
    /// `prefix`; stops when there are more than `limit`.
    ///
    /// Chunks are filed under their last posting. So the postings of a prefix can begin only in the
    /// first chunk at or behind it, and mostly that chunk is the only one read. Each chunk says
    /// which chunk stands before it. If all these links fit, and behind the last chunk read there
    /// is either a larger prefix or the end of the run, then no chunk is missing.
    pub fn find(
        &self,
        run: &RunInfo,
        prefix: Prefix,
        from: TxNum,
        limit: usize,
        txnums: &mut Vec<TxNum>,
    ) -> Result<()> {
        let prefix = self.prefix_bits.shorten(prefix);
        let start = ChunkKey::first_of(prefix);
        let sql = format!("SELECT key, data FROM run_{} WHERE key >= ?1 ORDER BY key", run.id);
        let error = |error| self.error(error);
        let mut query = self.conn.prepare_cached(&sql).map_err(error)?;
        let mut rows = query.query([start.0]).map_err(error)?;
        let mut before: Option<ChunkKey> = None;
        while let Some(row) = rows.next().map_err(error)? {
            let key = ChunkKey(row.get(0).map_err(error)?);
            let data = row.get_ref(1).and_then(|data| Ok(data.as_blob()?)).map_err(error)?;
            let mut chunk = ChunkDecoder::new(RowTable::of_run(run.id), key, data, run.range.first)
                .map_err(|_| self.damaged_chunk(run, key))?;
            if !follows(&chunk, key, before, start) {
                return Err(self.lost_chunk(run, prefix));
            }
            chunk.skip_below(prefix);
            for posting in chunk {
                let posting = posting.map_err(|_| self.damaged_chunk(run, key))?;
                if posting.prefix > prefix {
                    return Ok(());
                }
                let counts = posting.txnum >= from && run.range.contains(posting.txnum);
                if posting.prefix == prefix && counts {
                    txnums.push(posting.txnum);
                }
            }
            if key.prefix() > prefix || txnums.len() > limit {
                return Ok(());
            }
            before = Some(key);
        }
        // no chunk follows, so the last one read must be the last one of the run
        match before {
            Some(last) if last == run.last => Ok(()),
            None if run.last < start => Ok(()),
            _ => Err(self.lost_chunk(run, prefix)),
        }
    }

    /// The error for a chunk that cannot be read.
    pub fn damaged_chunk(&self, run: &RunInfo, key: ChunkKey) -> Error {
        damaged(&self.path, format_args!("run {} chunk {}", run.id, key.0))
    }

    /// The error for a chunk that is missing near prefix `at`.
    pub fn lost_chunk(&self, run: &RunInfo, at: ShortPrefix) -> Error {
        let what =
            format_args!("run {} (a chunk near prefix {} is not found), so it", run.id, at.0);
        damaged(&self.path, what)
    }
}

/// Whether no chunk is missing in front of `chunk`: since `before`, the chunk read before it, or,
/// if it is the first one read, since `start`, where the search began.
pub(super) fn follows(
    chunk: &ChunkDecoder<'_>,
    key: ChunkKey,
    before: Option<ChunkKey>,
    start: ChunkKey,
) -> bool {
    key >= start
        && match before {
            Some(before) => chunk.previous() == before,
            None => chunk.previous() < start,
        }
}
