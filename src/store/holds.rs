//! Whether given postings are in a run: many are looked up together, each chunk being read once.

use crate::error::Result;
use crate::ids::Prefix;
use crate::index::chunk::{ChunkDecoder, ChunkKey, Posting};

use super::open::Db;
use super::tables::RunInfo;

impl Db {
    /// Whether a run holds all of these postings, which must be in ascending order.
    pub fn holds_all(&self, run: &RunInfo, wanted: &[Posting]) -> Result<bool> {
        let mut left = wanted;
        let mut chunk = Vec::new();
        while let Some(next) = left.first() {
            self.read_chunk_around(run, *next, &mut chunk)?;
            // a run is sorted throughout: what lies between a chunk's ends can be nowhere else
            let here = left.partition_point(|posting| Some(posting) <= chunk.last()).max(1);
            let (now, later) = left.split_at(here);
            if !now.iter().all(|posting| chunk.binary_search(posting).is_ok()) {
                return Ok(false);
            }
            left = later;
        }
        Ok(true)
    }

    /// Reads into `chunk` the only chunk that can hold `wanted`.
    fn read_chunk_around(
        &self,
        run: &RunInfo,
        wanted: Posting,
        chunk: &mut Vec<Posting>,
    ) -> Result<()> {
        let sql = format!("SELECT key, data FROM run_{} WHERE key < ?1 ORDER BY key DESC", run.id);
        let error = |error| self.error(error);
        let end = ChunkKey::first_of(Prefix(wanted.prefix.0 + 1)).0;
        let mut query = self.conn.prepare_cached(&sql).map_err(error)?;
        let mut rows = query.query([end]).map_err(error)?;
        chunk.clear();
        while let Some(row) = rows.next().map_err(error)? {
            let key = ChunkKey(row.get(0).map_err(error)?);
            let data = row.get_ref(1).and_then(|data| Ok(data.as_blob()?)).map_err(error)?;
            let decoder = ChunkDecoder::new(key, data, run.range.first)
                .map_err(|e| self.damaged_chunk(run, key, e))?;
            chunk.clear();
            for posting in decoder {
                chunk.push(posting.map_err(|e| self.damaged_chunk(run, key, e))?);
            }
            // one that begins behind it has the same prefix: go on with the one before
            if chunk.first() <= Some(&wanted) {
                break;
            }
        }
        Ok(())
    }
}
