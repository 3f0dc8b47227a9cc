//! The head of a block's record: its length and its header, if a record stands at that position.

use crate::error::Result;
use crate::ids::HeaderBytes;

use super::dir::{BlockDir, FilePos, Kind};
use super::frames::{FRAME_HEADER_BYTES, Magic, split_head};

/// The length and header of a block as the file has them; neither is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The length of the block in bytes.
    pub len: u32,
    /// The block's header.
    pub header: HeaderBytes,
}

/// Reads the head of the record whose block begins at `pos`; `None` if there is no record of the
/// network with this `magic`. A remembered position may be wrong, since bitcoind rewrites its files
/// after a crash or a reindex; so the caller must compare the header with that of the block it
/// expects.
pub fn head_at(dir: &BlockDir, magic: Magic, pos: FilePos) -> Result<Option<Head>> {
    let Some(offset) = pos.offset.checked_sub(FRAME_HEADER_BYTES) else {
        return Ok(None);
    };
    let mut bytes = [0; FRAME_HEADER_BYTES as usize + size_of::<HeaderBytes>()];
    let whole = dir.read_exact(Kind::Block, FilePos { offset, ..pos }, &mut bytes)?;
    let (frame, header) = bytes.split_at(FRAME_HEADER_BYTES as usize);
    let (Some((found, len)), Some(header)) = (split_head(frame), header.first_chunk()) else {
        return Ok(None);
    };
    Ok((whole && found == magic).then_some(Head { len, header: *header }))
}
