//! Whether given postings are in a run: many are looked up together, each chunk being read once.

use crate::error::Result;
use crate::ids::Prefix;
use crate::index::chunk::{ChunkDecoder, ChunkKey, Posting};
use crate::limits::CHUNK_BYTES_MAX;

use super::open::Db;
use super::tables::RunInfo;

impl Db {
    /// Whether a run holds all of these postings, which must be in ascending order.
    pub fn holds_all(&self, run: &RunInfo, wanted: &[Posting]) -> Result<bool> {
        let mut left = wanted;
        while let Some(next) = left.first() {
            let mut found = self.count_in_likely_chunk(run, next.prefix, left)?;
            if found == 0 {
                found = self.count_in_only_chunk(run, next.prefix, left)?;
            }
            if found == 0 {
                return Ok(false);
            }
            left = &left[found..];
        }
        Ok(true)
    }

    /// How many of `wanted`, from the first on, are in the chunk that most likely holds `prefix`.
    /// Prefixes of txids are spread evenly, so the chunk is guessed: step back from `prefix` by one
    /// chunk's width, and take the next chunk. That needs one page read; finding the last chunk at
    /// or before a key needs two.
    fn count_in_likely_chunk(
        &self,
        run: &RunInfo,
        prefix: Prefix,
        wanted: &[Posting],
    ) -> Result<usize> {
        let width = Prefix::END / (run.bytes / CHUNK_BYTES_MAX as u64).max(1);
        let place = prefix.0.saturating_sub(width + width / 32);
        let sql =
            format!("SELECT key, data FROM run_{} WHERE key >= ?1 ORDER BY key LIMIT 1", run.id);
        self.count_in_chunks(run, &sql, ChunkKey::first_of(Prefix(place)), wanted)
    }

    /// How many of `wanted`, from the first on, are in the only chunk that can hold the first of
    /// them, which has that prefix.
    fn count_in_only_chunk(
        &self,
        run: &RunInfo,
        prefix: Prefix,
        wanted: &[Posting],
    ) -> Result<usize> {
        let sql = format!("SELECT key, data FROM run_{} WHERE key < ?1 ORDER BY key DESC", run.id);
        let end = ChunkKey::first_of(Prefix(prefix.0 + 1));
        self.count_in_chunks(run, &sql, end, wanted)
    }

    /// Looks into the first chunk of a query that does not begin behind the first of `wanted`.
    fn count_in_chunks(
        &self,
        run: &RunInfo,
        sql: &str,
        key: ChunkKey,
        wanted: &[Posting],
    ) -> Result<usize> {
        let error = |error| self.error(error);
        let mut query = self.conn.prepare_cached(sql).map_err(error)?;
        let mut rows = query.query([key.0]).map_err(error)?;
        'chunks: while let Some(row) = rows.next().map_err(error)? {
            let key = ChunkKey(row.get(0).map_err(error)?);
            let data = row.get_ref(1).and_then(|data| Ok(data.as_blob()?)).map_err(error)?;
            let mut decoder = ChunkDecoder::new(key, data, run.range.first)
                .map_err(|e| self.damaged_chunk(run, key, e))?;
            let (mut found, mut first) = (0, true);
            while let Some(posting) = decoder.next() {
                let posting = posting.map_err(|e| self.damaged_chunk(run, key, e))?;
                match wanted.get(found) {
                    Some(next) if posting < *next => decoder.skip_below(next.prefix),
                    Some(next) if posting == *next => found += 1,
                    // it has the prefix that is looked for: go on with the one before
                    Some(_) if first => continue 'chunks,
                    _ => return Ok(found),
                }
                first = false;
            }
            return Ok(found);
        }
        Ok(0)
    }
}
