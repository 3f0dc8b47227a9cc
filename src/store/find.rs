//! Finding the postings of one prefix in a run, and proof that there are no others.

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
    /// Chunks are filed under their last posting, so the first one at or behind the prefix is the
    /// only place where it can begin, and mostly the only one read. Each chunk says where the one
    /// before it ended: only where these ends fit together, and the last one to the end of the
    /// run, is nothing missing between them.
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
        // there is no chunk behind: that must be the end of the run
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

    /// The error for a chunk that should be there and is not.
    pub fn lost_chunk(&self, run: &RunInfo, at: ShortPrefix) -> Error {
        let what =
            format_args!("run {} (a chunk near prefix {} is not found), so it", run.id, at.0);
        damaged(&self.path, what)
    }
}

/// Whether nothing can be missing between a chunk and what comes before it: the chunk that was read
/// before, or else the place from which on chunks are looked for.
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
