//! Going on at the end of the tables of items. What the last rows must hold is known from the
//! blocks, so that a row that was lost is not taken for one that never was.

use crate::error::Result;
use crate::ids::{Height, TxNum};
use crate::index::items::{BlockItem, NODE_BYTES, PositionItem};
use crate::index::pages::{PageWriter, items_per_row, row_of};
use crate::index::spans::{SpanItem, first_span_of, nodes_of, spans_of};

use super::error::damaged;
use super::items::stored_block;
use super::open::Db;
use super::records::{ItemTable, State};
use super::write::RowWriters;

impl Db {
    /// Writers that go on behind the last block of `state`.
    pub fn row_writers(&self, state: &State) -> Result<RowWriters> {
        let blocks = u64::from(state.blocks);
        let next = first_span_of(Height(state.blocks), TxNum(state.txs));
        let spans = self.used_end(state, first_item(SpanItem::BYTES, next), spans_of)?;
        let nodes = self.used_end(state, first_item(NODE_BYTES, next), nodes_of)?;
        Ok(RowWriters {
            blocks: self.page_writer::<{ BlockItem::BYTES }>(ItemTable::Blocks, blocks, blocks)?,
            positions: self.page_writer::<{ PositionItem::BYTES }>(
                ItemTable::Positions,
                blocks,
                blocks,
            )?,
            nodes: self.page_writer::<NODE_BYTES>(ItemTable::Nodes, next, nodes)?,
            spans: self.page_writer::<{ SpanItem::BYTES }>(ItemTable::Spans, next, spans)?,
        })
    }

    /// A writer whose first item is `next`. The row that it goes on with must hold all items below
    /// `used`; those from there on are not used, and need not be stored.
    fn page_writer<const N: usize>(
        &self,
        table: ItemTable,
        next: u64,
        used: u64,
    ) -> Result<PageWriter<N>> {
        let mut row = self.row(table, row_of(N, next))?.unwrap_or_default();
        let needed = used.saturating_sub(first_item(N, next)) as usize;
        if row.len() / N >= needed {
            row.resize(row.len() + N * items_per_row(N) as usize, 0);
            if let Some(writer) = PageWriter::resume(table.rows(), next, &row) {
                return Ok(writer);
            }
        }
        Err(damaged(&self.path, format_args!("the end of {}", table.name())))
    }

    /// One behind the last item at or above `from` that is used, if each block has as many items as
    /// `items_of` makes of the number of its transactions; `from` if there is none.
    fn used_end(&self, state: &State, from: u64, items_of: fn(u32) -> u32) -> Result<u64> {
        let mut end = state.txs;
        // every block has a span, so that there are no more blocks than items in a row
        for height in (0..state.blocks).rev().map(Height) {
            let first = stored_block(self, height)?.first;
            let txs = end.checked_sub(first.0);
            let txs = txs.ok_or_else(|| damaged(&self.path, format_args!("block {height}")))?;
            let span = first_span_of(height, first);
            if items_of(txs) > 0 {
                return Ok(from.max(span + u64::from(items_of(txs))));
            }
            if span <= from {
                break;
            }
            end = first.0;
        }
        Ok(from)
    }
}

/// The first item of the row that holds an item of `size` bytes.
fn first_item(size: usize, item: u64) -> u64 {
    item - item % items_per_row(size)
}
