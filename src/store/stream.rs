//! All postings of a run in order, a handful of chunks at a time.

use crate::error::Result;
use crate::ids::Prefix;
use crate::index::chunk::{ChunkDecoder, ChunkKey, Posting};

use super::open::Db;
use super::tables::RunInfo;

impl Db {
    /// Streams the postings of a run that count, from `start` on.
    pub fn stream(&self, run: RunInfo, start: Prefix) -> RunStream<'_> {
        let key = ChunkKey::first_of(start).0;
        RunStream { db: self, run, start, next_key: key, begun: false, postings: Vec::new(), at: 0 }
    }
}

/// Chunks that a stream reads at once: 64 KiB, so that a disk is not sought for every page.
const STREAM_CHUNKS: i64 = 16;

/// The postings of one run in order.
pub struct RunStream<'a> {
    db: &'a Db,
    run: RunInfo,
    start: Prefix,
    next_key: i64,
    begun: bool,
    postings: Vec<Posting>,
    at: usize,
}

impl RunStream<'_> {
    /// Reads the next chunks; `false` at the end.
    fn refill(&mut self) -> Result<bool> {
        // the chunk before the first one that begins at `start` may end with postings of `start`
        let from = if self.begun {
            "?1"
        } else {
            "coalesce((SELECT max(key) FROM run_{} WHERE key < ?1), ?1)"
        };
        let sql = format!(
            "SELECT key, data FROM run_{0} WHERE key >= {1} ORDER BY key LIMIT {STREAM_CHUNKS}",
            self.run.id,
            from.replace("{}", &self.run.id.to_string())
        );
        self.begun = true;
        self.postings.clear();
        self.at = 0;
        let error = |error| self.db.error(error);
        let mut query = self.db.conn.prepare_cached(&sql).map_err(error)?;
        let mut rows = query.query([self.next_key]).map_err(error)?;
        let mut any = false;
        while let Some(row) = rows.next().map_err(error)? {
            any = true;
            let key = ChunkKey(row.get(0).map_err(error)?);
            let data = row.get_ref(1).and_then(|data| Ok(data.as_blob()?)).map_err(error)?;
            let decoder = ChunkDecoder::new(key, data, self.run.range.first)
                .map_err(|e| self.db.damaged_chunk(&self.run, key, e))?;
            for posting in decoder {
                let posting = posting.map_err(|e| self.db.damaged_chunk(&self.run, key, e))?;
                if posting.prefix >= self.start && self.run.range.contains(posting.txnum) {
                    self.postings.push(posting);
                }
            }
            self.next_key = key.0 + 1;
        }
        Ok(any)
    }
}

impl Iterator for RunStream<'_> {
    type Item = Result<Posting>;

    fn next(&mut self) -> Option<Result<Posting>> {
        while self.at >= self.postings.len() {
            match self.refill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        let posting = self.postings[self.at];
        self.at += 1;
        Some(Ok(posting))
    }
}
