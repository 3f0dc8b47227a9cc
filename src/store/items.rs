//! Single items of the page tables as the database has them.

use crate::error::Result;
use crate::ids::Height;
use crate::index::items::{BlockItem, PositionItem};
use crate::index::pages::{item_of, row_of};

use super::error::damaged;
use super::open::Db;
use super::records::ItemTable;

/// What is stored of a block.
pub fn stored_block(db: &Db, height: Height) -> Result<BlockItem> {
    let item = u64::from(height.0);
    let row = db.row(ItemTable::Blocks, row_of(BlockItem::BYTES, item))?;
    match row.as_deref().and_then(|row| item_of(row, item)) {
        Some(bytes) => Ok(BlockItem::decode(bytes)),
        None => Err(damaged(&db.path, format_args!("the stored header of block {height}"))),
    }
}

/// Where a block and its undo record stood when it was indexed; a cache, so it may not be there.
pub fn stored_position(db: &Db, height: Height) -> Result<Option<PositionItem>> {
    let item = u64::from(height.0);
    let row = db.row(ItemTable::Positions, row_of(PositionItem::BYTES, item))?;
    Ok(row.as_deref().and_then(|row| item_of(row, item)).map(PositionItem::decode))
}
