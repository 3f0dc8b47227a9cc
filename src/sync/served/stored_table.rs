//! Reads the table of the chain from the database into memory, at the start.

use bitcoin::hashes::Hash;

use crate::error::Result;
use crate::ids::BlockHash;
use crate::index::items::{BlockItem, PositionItem};
use crate::live::table::{ChainTable, HeaderTag};
use crate::parse::tx::header;
use crate::store::error::damaged;
use crate::store::open::Db;
use crate::store::records::{ItemTable, State};

/// Reads the table. To save memory, only the positions are held beside it meanwhile.
pub fn read_table(db: &Db, state: &State) -> Result<ChainTable> {
    let mut positions = Vec::with_capacity(state.blocks as usize);
    db.each_row(ItemTable::Positions, |_, row| {
        let items = row.as_chunks().0;
        positions.extend(items.iter().map(|item| PositionItem::decode(item).block));
        Ok(())
    })?;
    // each block goes into the table as soon as the next one tells where its transactions end
    let (count, mut table) = (state.blocks as usize, ChainTable::default());
    let mut before: Option<(u32, HeaderTag)> = None;
    let mut add = |first: u32, tag: Option<HeaderTag>| {
        let height = table.blocks().0 as usize;
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
    let (mut read, mut last) = (0, BlockHash::all_zeros());
    db.each_row(ItemTable::Blocks, |_, row| {
        for item in row.as_chunks().0.iter().take(count - read) {
            let BlockItem { header, first, .. } = BlockItem::decode(item);
            // an older row that a lost write has left behind does not fit into the chain
            if header::previous(&header) != last || read == 0 && first.0 != 0 {
                return Err(damaged(&db.path, format_args!("block {read}")));
            }
            last = header::hash(&header);
            add(first.0, Some(HeaderTag::of_hash(&last)))?;
            read += 1;
        }
        Ok(())
    })?;
    if last != state.tip {
        return Err(damaged(&db.path, "the last block"));
    }
    add(state.txs, None)?;
    if table.blocks().0 as usize != count {
        return Err(damaged(&db.path, "the list of blocks"));
    }
    Ok(table)
}
