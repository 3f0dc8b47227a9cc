//! The postings of one run in order, read a few rows and decoded a few postings at a time.

use std::collections::VecDeque;

use crate::error::Result;
use crate::ids::ShortPrefix;
use crate::index::chunk::{ChunkDecoder, ChunkKey, Paused, Posting};
use crate::index::rows::RowTable;

use super::find::follows;
use super::open::Db;
use super::records::RunInfo;

/// Rows that are read at once where memory is no concern: 64 KiB, so that a disk is not sought
/// for every page.
pub const STREAM_ROWS: usize = 16;
/// Postings that are decoded at once: a merge has thousands of streams, and a row may hold
/// thousands of postings.
const POSTINGS_AT_ONCE: usize = 128;

/// Streams a run: all its chunks from a place on to its end, or an error.
pub struct RunStream<'a> {
    db: &'a Db,
    run: RunInfo,
    start: ShortPrefix,
    rows_at_once: usize,
    /// Where the next rows are read from, and the chunk read last.
    next_key: ChunkKey,
    before: Option<ChunkKey>,
    bytes: u64,
    rows: VecDeque<(ChunkKey, Vec<u8>)>,
    /// Where decoding is in the first of the rows.
    paused: Option<Paused>,
    postings: Vec<Posting>,
    at: usize,
    /// At its end, or after an error.
    over: bool,
}

impl Db {
    /// Streams the postings of a run that count, from `start` on, reading so many rows at once.
    pub fn stream(&self, run: RunInfo, start: ShortPrefix, rows_at_once: usize) -> RunStream<'_> {
        RunStream {
            db: self,
            run,
            start,
            rows_at_once: rows_at_once.max(1),
            next_key: ChunkKey::first_of(start),
            before: None,
            bytes: 0,
            rows: VecDeque::new(),
            paused: None,
            postings: Vec::new(),
            at: 0,
            over: false,
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
        if self.rows.is_empty() {
            self.read_rows()?;
        }
        let Some((key, bytes)) = self.rows.front() else {
            return self.check_end().map(|()| false);
        };
        self.postings.clear();
        self.at = 0;
        let damaged = |_| self.db.damaged_chunk(&self.run, *key);
        let mut decoder = match self.paused {
            Some(paused) => ChunkDecoder::resume(bytes, paused),
            None => {
                let table = RowTable::of_run(self.run.id);
                let chunk = ChunkDecoder::new(table, *key, bytes, self.run.range.first);
                let chunk = chunk.map_err(damaged)?;
                if !follows(&chunk, *key, self.before, ChunkKey::first_of(self.start)) {
                    return Err(self.db.lost_chunk(&self.run, key.prefix()));
                }
                self.before = Some(*key);
                chunk
            }
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
            self.rows.pop_front();
            self.paused = None;
        }
        Ok(true)
    }

    /// Whether the last chunk read is the last one of the run.
    fn check_end(&self) -> Result<()> {
        let whole = match self.before {
            Some(last) => last == self.run.last,
            None => self.run.last < ChunkKey::first_of(self.start),
        };
        if whole { Ok(()) } else { Err(self.db.lost_chunk(&self.run, self.run.last.prefix())) }
    }

    fn read_rows(&mut self) -> Result<()> {
        let run = self.run.id;
        let sql = format!("SELECT key, data FROM run_{run} WHERE key >= ?1 ORDER BY key LIMIT ?2");
        let error = |error| self.db.error(error);
        let mut query = self.db.conn.prepare_cached(&sql).map_err(error)?;
        let limit = self.rows_at_once as i64;
        let mut rows = query.query([self.next_key.0, limit]).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            let key = ChunkKey(row.get(0).map_err(error)?);
            let chunk: Vec<u8> = row.get(1).map_err(error)?;
            self.bytes += chunk.len() as u64;
            self.rows.push_back((key, chunk));
            self.next_key = ChunkKey(key.0.saturating_add(1));
        }
        Ok(())
    }
}

impl Iterator for RunStream<'_> {
    type Item = Result<Posting>;

    fn next(&mut self) -> Option<Result<Posting>> {
        while self.at >= self.postings.len() {
            if self.over {
                return None;
            }
            match self.decode() {
                Ok(true) => {}
                Ok(false) => self.over = true,
                Err(error) => {
                    self.over = true;
                    self.postings.clear();
                    return Some(Err(error));
                }
            }
        }
        let posting = self.postings[self.at];
        self.at += 1;
        Some(Ok(posting))
    }
}
