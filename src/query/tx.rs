//! A transaction by its number: position in the block file, read, checked.

use crate::blockfile::dir::{FilePos, Kind};
use crate::blockfile::record::{Head, head_at};
use crate::ids::{Height, Prefix, TxNum, Txid};
use crate::index::lens::{LENS_PER_ROW, LensCursor};
use crate::limits::BLOCK_BYTES_MAX;
use crate::live::table::{BlockInfo, HeaderTag};
use crate::parse::bytes::Cursor;
use crate::parse::tx::TxView;
use crate::store::tables::{ItemTable, RunKind};

use super::answers::{Answer, QueryError};
use super::view::View;

/// Reads transactions of one view; cheap for ascending numbers, since it remembers where it is.
pub struct TxReader<'a> {
    view: &'a View<'a>,
    lens: Option<LensCursor>,
    /// The block whose frame and header were checked last, with its record's length.
    checked: Option<(Height, u32)>,
    buffer: Vec<u8>,
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxPlace {
    /// Its number.
    pub txnum: TxNum,
    /// Its block.
    pub height: Height,
    /// What is held of the block.
    pub block: BlockInfo,
    /// Offset in the block, bytes.
    pub offset: u32,
    /// Length, bytes.
    pub len: u32,
}

impl<'a> TxReader<'a> {
    /// A reader of that moment.
    pub fn new(view: &'a View<'a>) -> Self {
        TxReader { view, lens: None, checked: None, buffer: Vec::new() }
    }

    /// Where a transaction should stand.
    pub fn place(&mut self, txnum: TxNum) -> Answer<TxPlace> {
        let view = self.view;
        let snap = &view.snap;
        let gone = || view.lost(format_args!("the place of transaction {txnum}"));
        let height = snap.table.height_of(txnum).ok_or_else(gone)?;
        let block = snap.table.get(height).ok_or_else(gone)?;
        if let Some(recent) = snap.recent_at(height) {
            let (offset, len) = recent.locate(txnum).ok_or_else(gone)?;
            return Ok(TxPlace { txnum, height, block, offset, len });
        }
        let txs = snap.table.txs_of(height);
        let known = self.lens.as_mut().and_then(|lens| lens.locate(txnum, block.first, txs));
        let (offset, len) = match known {
            Some(place) => place,
            None => self.locate(txnum, block.first, txs)?.ok_or_else(gone)?,
        };
        Ok(TxPlace { txnum, height, block, offset, len })
    }

    /// Lets the kernel begin to read a transaction that will be asked for soon.
    pub fn prefetch(&self, place: &TxPlace) {
        if let Some(offset) = place.block.pos.offset.checked_add(place.offset) {
            let pos = FilePos { offset, ..place.block.pos };
            self.view.dir().will_need(Kind::Block, pos, place.len);
        }
    }

    /// Offset and length of a transaction by another row than the last one.
    fn locate(&mut self, txnum: TxNum, first: TxNum, txs: u32) -> Answer<Option<(u32, u32)>> {
        let view = self.view;
        let key = i64::from(txnum.0);
        // the likely row first: a forward seek reads one page less than an exact backward one
        let likely = key - i64::from(LENS_PER_ROW - 1);
        let row = view.db()?.row_at_or_behind(ItemTable::Lens, likely);
        if let Some(place) = self.locate_in(row.map_err(|e| view.failed(e))?, txnum, first, txs) {
            return Ok(Some(place));
        }
        let row = view.db()?.row_at_or_before(ItemTable::Lens, key);
        Ok(self.locate_in(row.map_err(|e| view.failed(e))?, txnum, first, txs))
    }

    fn locate_in(
        &mut self,
        row: Option<(i64, Vec<u8>)>,
        txnum: TxNum,
        first: TxNum,
        txs: u32,
    ) -> Option<(u32, u32)> {
        let (key, row) = row?;
        let row = LensCursor::new(TxNum(u32::try_from(key).ok()?), row)?;
        self.lens.insert(row).locate(txnum, first, txs)
    }

    /// Whether its block is one of the newest, which are in memory and in no run.
    pub fn is_recent(&self, place: &TxPlace) -> bool {
        self.view.snap.recent_at(place.height).is_some()
    }

    /// The bytes of a transaction, from a block that was checked to stand there.
    pub fn bytes(&mut self, place: &TxPlace) -> Answer<&[u8]> {
        let TxPlace { height, block, offset, len, .. } = *place;
        let record_len = match self.checked {
            Some((checked, record_len)) if checked == height => record_len,
            _ => check_record(self.view, height, block)?,
        };
        self.checked = Some((height, record_len));
        if offset.checked_add(len).is_none_or(|end| end > record_len) {
            return Err(self.view.wrong_position(height, "its record is too short"));
        }
        if !self.fill(block, offset, len)? {
            return Err(self.view.wrong_position(height, "its file has become shorter"));
        }
        Ok(&self.buffer)
    }

    /// Part of a block as it should stand there. Nothing is checked, which saves a read of the
    /// header: prove the content, and say [`misread`] if that fails.
    pub fn range(
        &mut self,
        height: Height,
        block: BlockInfo,
        offset: u32,
        len: u32,
    ) -> Answer<&[u8]> {
        if self.fill(block, offset, len)? {
            return Ok(&self.buffer);
        }
        Err(misread(self.view, height, "its file has become shorter"))
    }

    /// Reads part of a block; `false` if the file ends first or the range is longer than any block.
    fn fill(&mut self, block: BlockInfo, offset: u32, len: u32) -> Answer<bool> {
        let start = block.pos.offset.checked_add(offset);
        let (Some(offset), true) = (start, len <= BLOCK_BYTES_MAX) else { return Ok(false) };
        self.buffer.resize(len as usize, 0);
        let pos = FilePos { offset, ..block.pos };
        let read = self.view.dir().read_exact(Kind::Block, pos, &mut self.buffer);
        read.map_err(|error| self.view.failed(error))
    }

    /// Reads a transaction at its place, and its txid, which must be the one that is indexed:
    /// what does not hash to it was damaged in bitcoind's file.
    pub fn tx(&mut self, place: &TxPlace) -> Answer<(TxView<'_>, Txid)> {
        let view = self.view;
        let (tx, txid) = self.unchecked(place)?;
        if view.is_filed(&txid, place.txnum, place.height)? {
            return Ok((tx, txid));
        }
        Err(misread(view, place.height, "a transaction's bytes have changed"))
    }

    /// Reads a transaction at its place, and its txid, without a look at the index: the caller must
    /// check that the txid is the one that is indexed.
    pub fn unchecked(&mut self, place: &TxPlace) -> Answer<(TxView<'_>, Txid)> {
        let view = self.view;
        let bytes = self.range(place.height, place.block, place.offset, place.len)?;
        let mut cursor = Cursor::new(bytes);
        match TxView::read(&mut cursor) {
            Ok(tx) if cursor.left() == 0 => Ok((tx, tx.txid())),
            _ => Err(misread(view, place.height, "a transaction cannot be read")),
        }
    }

    /// All transactions with that txid: one, or two of the same txid in
    /// different blocks (BIP 30). Ascending.
    pub fn find(&mut self, txid: &Txid) -> Answer<Vec<(TxNum, TxPlace)>> {
        let candidates =
            self.view.find(RunKind::Txid, Prefix::of_txid(txid), TxNum(0), usize::MAX)?;
        let mut found = Vec::new();
        for txnum in candidates {
            let place = self.place(txnum)?;
            if self.unchecked(&place)?.1 == *txid {
                found.push((txnum, place));
            } else {
                // another one with the same prefix, or damage
                self.tx(&place)?;
            }
        }
        Ok(found)
    }
}

/// Why what was read of a block is not what was indexed: it is not there any more, or damaged.
pub fn misread(view: &View<'_>, height: Height, why: &str) -> QueryError {
    let Some(block) = view.snap.table.get(height) else {
        return QueryError::Internal(format!("block {height} is not on the chain"));
    };
    match check_record(view, height, block) {
        Ok(_) => view.damaged_block(height, why),
        Err(moved) => moved,
    }
}

/// Checks that the record of this block still stands where it should; the record's length.
fn check_record(view: &View<'_>, height: Height, block: BlockInfo) -> Answer<u32> {
    let found = head_at(view.dir(), view.magic(), block.pos).map_err(|e| view.failed(e))?;
    match found {
        Some(Head { len, header }) if HeaderTag::of(&header) == block.tag => Ok(len),
        _ => Err(view.wrong_position(height, "another record stands there")),
    }
}
