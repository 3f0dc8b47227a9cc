//! The postings of one run in order, read a few pages and decoded a few postings at a time.

use std::collections::VecDeque;

use crate::error::Result;
use crate::ids::Prefix;
use crate::index::chunk::{ChunkDecoder, ChunkKey, Paused, Posting};

use super::open::Db;
use super::tables::RunInfo;

/// Pages that are read at once where memory is no concern: 64 KiB, so that a disk is not sought
/// for every page.
pub const STREAM_PAGES: usize = 16;
/// Postings that are decoded at once: a merge has thousands of streams, and a page may hold
/// thousands of postings.
const POSTINGS_AT_ONCE: usize = 128;

/// Streams a run.
pub struct RunStream<'a> {
    db: &'a Db,
    run: RunInfo,
    start: Prefix,
    pages_at_once: usize,
    next_key: i64,
    begun: bool,
    bytes: u64,
    pages: VecDeque<(ChunkKey, Vec<u8>)>,
    /// Where decoding is in the first of the pages.
    paused: Option<Paused>,
    postings: Vec<Posting>,
    at: usize,
}

impl Db {
    /// Streams the postings of a run that count, from `start` on, reading so many pages at once.
    pub fn stream(&self, run: RunInfo, start: Prefix, pages_at_once: usize) -> RunStream<'_> {
        RunStream {
            db: self,
            run,
            start,
            pages_at_once: pages_at_once.max(1),
            next_key: ChunkKey::first_of(start).0,
            begun: false,
            bytes: 0,
            pages: VecDeque::new(),
            paused: None,
            postings: Vec::new(),
            at: 0,
        }
    }
}

impl RunStream<'_> {
    /// Bytes of the chunks read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Decodes the next postings; `false` at the end.
    fn decode(&mut self) -> Result<bool> {
        if self.pages.is_empty() {
            self.read_pages()?;
        }
        let Some((key, bytes)) = self.pages.front() else {
            return Ok(false);
        };
        self.postings.clear();
        self.at = 0;
        let damaged = |error| self.db.damaged_chunk(&self.run, *key, error);
        let mut decoder = match self.paused {
            Some(paused) => ChunkDecoder::resume(bytes, paused),
            None => ChunkDecoder::new(*key, bytes, self.run.range.first).map_err(damaged)?,
        };
        let mut decoded = 0;
        for posting in decoder.by_ref().take(POSTINGS_AT_ONCE) {
            let posting = posting.map_err(damaged)?;
            decoded += 1;
            if posting.prefix >= self.start && self.run.range.contains(posting.txnum) {
                self.postings.push(posting);
            }
        }
        self.paused = Some(decoder.pause());
        if decoded < POSTINGS_AT_ONCE {
            self.pages.pop_front();
            self.paused = None;
        }
        Ok(true)
    }

    fn read_pages(&mut self) -> Result<()> {
        let run = self.run.id;
        // the page before the first one that begins at `start` may end with postings of `start`
        let from = match self.begun {
            true => "?1".to_string(),
            false => format!("coalesce((SELECT max(key) FROM run_{run} WHERE key < ?1), ?1)"),
        };
        let sql =
            format!("SELECT key, data FROM run_{run} WHERE key >= {from} ORDER BY key LIMIT ?2");
        self.begun = true;
        let error = |error| self.db.error(error);
        let mut query = self.db.conn.prepare_cached(&sql).map_err(error)?;
        let limit = self.pages_at_once as i64;
        let mut rows = query.query([self.next_key, limit]).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            let key = ChunkKey(row.get(0).map_err(error)?);
            let chunk: Vec<u8> = row.get(1).map_err(error)?;
            self.bytes += chunk.len() as u64;
            self.pages.push_back((key, chunk));
            self.next_key = key.0 + 1;
        }
        Ok(())
    }
}

impl Iterator for RunStream<'_> {
    type Item = Result<Posting>;

    fn next(&mut self) -> Option<Result<Posting>> {
        while self.at >= self.postings.len() {
            match self.decode() {
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
