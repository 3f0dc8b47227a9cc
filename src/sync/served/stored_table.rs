//! The table of the chain as the database has it, read into memory at the start.

use crate::error::Result;
use crate::index::items::{BlockItem, PositionItem};
use crate::live::table::{ChainTable, HeaderTag};
use crate::store::error::damaged;
use crate::store::open::Db;
use crate::store::records::{ItemTable, State};

/// Reads it; beside the table only the positions are held meanwhile.
pub fn read_table(db: &Db, state: &State) -> Result<ChainTable> {
    let mut positions = Vec::with_capacity(state.blocks as usize);
    db.each_row(ItemTable::Positions, |_, row| {
        let items = row.as_chunks().0;
        positions.extend(items.iter().map(|item| PositionItem::decode(item).block));
        Ok(())
    })?;
    // straight into the table, each block when the next one tells where it ends
    let (count, mut table) = (state.blocks as usize, ChainTable::default());
    let mut before: Option<(u32, HeaderTag)> = None;
    let mut add = |first: u32, tag: Option<HeaderTag>| {
        let height = table.blocks() as usize;
        if let (Some((start, tag)), true) = (before, height < count) {
            let txs = first.checked_sub(start);
            let (Some(txs), Some(pos)) = (txs, positions.get(height)) else {
                return Err(damaged(&db.path, format_args!("block {height}")));
            };
            table.push(*pos, tag, txs);
        }
        before = tag.map(|tag| (first, tag));
        Ok(())
    };
    let mut read = 0;
    db.each_row(ItemTable::Blocks, |_, row| {
        for item in row.as_chunks().0.iter().take(count - read) {
            let BlockItem { header, first, .. } = BlockItem::decode(item);
            add(first.0, Some(HeaderTag::of(&header)))?;
            read += 1;
        }
        Ok(())
    })?;
    add(state.txs, None)?;
    if table.blocks() as usize != count {
        return Err(damaged(&db.path, "the list of blocks"));
    }
    Ok(table)
}
