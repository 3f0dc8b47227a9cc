//! Single items of the page tables: a block's header and first txnum, its position.

use crate::error::Result;
use crate::ids::{Height, TxNum};
use crate::index::pages::{PageWriter, item_of};

use super::error::damaged;
use super::open::Db;
use super::tables::ItemTable;
use super::write::BLOCK_ITEM;

/// Header (80 bytes) and first txnum of a stored block.
pub fn stored_block(db: &Db, height: Height) -> Result<([u8; 80], TxNum)> {
    let item = u64::from(height.0);
    let row = db.row(ItemTable::Blocks, PageWriter::<BLOCK_ITEM>::row_of(item))?;
    let found = row.as_deref().and_then(|row| item_of::<BLOCK_ITEM>(row, item));
    match found.and_then(|item| item.split_first_chunk::<80>()) {
        Some((header, &[a, b, c, d])) => Ok((*header, TxNum(u32::from_le_bytes([a, b, c, d])))),
        _ => Err(damaged(&db.path, format_args!("the stored header of block {height}"))),
    }
}
