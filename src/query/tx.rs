//! A transaction by its number: the span of the block file that holds it, read, checked, parsed.

use crate::blockfile::dir::{FilePos, Kind};
use crate::ids::{Height, Prefix, TxNum, Txid};
use crate::index::spans::{SPAN_TXS, SpanItem, first_span_of, first_tx_offset};
use crate::limits::BLOCK_BYTES_MAX;
use crate::live::table::BlockInfo;
use crate::parse::bytes::Cursor;
use crate::parse::tx::TxView;
use crate::store::records::RunKind;

use super::answers::Answer;
use super::blame::misread;
use super::view::View;

/// Reads transactions of one view; transactions of one span are read together.
pub struct TxReader<'a> {
    view: &'a View<'a>,
    /// Which bytes `buffer` holds, their checksum compared: height of the block, start, end.
    held: Option<(Height, u32, u32)>,
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
    /// Where the bytes begin that are read for it, counted from the block's header: those of its
    /// span or, in a recent block, its own.
    pub start: u32,
    /// Where these bytes end.
    pub end: u32,
    /// Checksum of these bytes; `None` in a recent block, where the txid is compared instead.
    crc: Option<u32>,
    /// Transactions that stand before it in these bytes.
    before: u32,
}

impl<'a> TxReader<'a> {
    /// A reader of that moment.
    pub fn new(view: &'a View<'a>) -> Self {
        TxReader { view, held: None, buffer: Vec::new() }
    }

    /// Where a transaction should stand.
    pub fn place(&mut self, txnum: TxNum) -> Answer<TxPlace> {
        let view = self.view;
        let snap = &view.snap;
        let gone = || view.lost(format_args!("the place of transaction {txnum}"));
        let height = snap.table.height_of(txnum).ok_or_else(gone)?;
        let block = snap.table.get(height).ok_or_else(gone)?;
        if let Some(recent) = snap.recent_at(height) {
            let (start, len) = recent.locate(txnum).ok_or_else(gone)?;
            let end = start.saturating_add(len);
            return Ok(TxPlace { txnum, height, block, start, end, crc: None, before: 0 });
        }
        let pos = txnum.0.checked_sub(block.first.0).ok_or_else(gone)?;
        let own = first_span_of(height, block.first) + u64::from(pos / SPAN_TXS);
        let SpanItem { end, crc } = view.span(own)?;
        let start = match pos / SPAN_TXS {
            0 => first_tx_offset(snap.table.txs_of(height)),
            _ => view.span(own - 1)?.end,
        };
        if start >= end || end > BLOCK_BYTES_MAX {
            return Err(gone());
        }
        let before = pos % SPAN_TXS;
        Ok(TxPlace { txnum, height, block, start, end, crc: Some(crc), before })
    }

    /// Lets the kernel begin to read a transaction that will be asked for soon.
    pub fn prefetch(&self, place: &TxPlace) {
        if let Some(offset) = place.block.pos.offset.checked_add(place.start) {
            let pos = FilePos { offset, ..place.block.pos };
            self.view.dir().will_need(Kind::Block, pos, place.end - place.start);
        }
    }

    /// Reads a transaction and computes its txid. Of a stored block, the span's checksum shows that
    /// every byte is what was indexed; of a recent block the txid shows it, but for witnesses. If
    /// the bytes are not what was indexed, the error says why.
    pub fn tx(&mut self, place: &TxPlace) -> Answer<(TxView<'_>, Txid)> {
        let view = self.view;
        let mut cursor = Cursor::new(self.span(place)?);
        let mut next = TxView::read(&mut cursor);
        for _ in 0..place.before {
            next = next.and_then(|_| TxView::read(&mut cursor));
        }
        let Ok(tx) = next else {
            return Err(misread(view, place.height, "a transaction cannot be read"));
        };
        let txid = tx.txid();
        if let Some(recent) = view.snap.recent_at(place.height) {
            let pos = place.txnum.0.wrapping_sub(recent.first.0) as usize;
            if recent.txids().get(pos) != Some(&txid) || cursor.left() > 0 {
                return Err(misread(view, place.height, "a transaction's bytes have changed"));
            }
        }
        Ok((tx, txid))
    }

    /// The txids of a transaction's whole span, at most [`SPAN_TXS`]. The block must be a stored
    /// one, since a recent block is read without spans.
    pub fn txids_of_span(&mut self, place: &TxPlace) -> Answer<Vec<Txid>> {
        let view = self.view;
        let mut cursor = Cursor::new(self.span(place)?);
        let mut txids = Vec::with_capacity(SPAN_TXS as usize);
        while cursor.left() > 0 && txids.len() < SPAN_TXS as usize {
            match TxView::read(&mut cursor) {
                Ok(tx) => txids.push(tx.txid()),
                Err(_) => {
                    return Err(misread(view, place.height, "a transaction cannot be read"));
                }
            }
        }
        Ok(txids)
    }

    /// The bytes that are read for a transaction; their checksum, if they have one, fits.
    fn span(&mut self, place: &TxPlace) -> Answer<&[u8]> {
        let TxPlace { height, start, end, .. } = *place;
        if self.held == Some((height, start, end)) {
            return Ok(&self.buffer);
        }
        self.held = None;
        // read twice before the file or the index is blamed: a disk may err once
        if !self.fill_and_check(place)? && !self.fill_and_check(place)? {
            return Err(misread(self.view, height, "bytes of its transactions have changed"));
        }
        self.held = Some((height, start, end));
        Ok(&self.buffer)
    }

    /// Fills `buffer` with the bytes of a place; whether they are there and fit its checksum.
    fn fill_and_check(&mut self, place: &TxPlace) -> Answer<bool> {
        let there = self.fill(place.block, place.start, place.end)?;
        Ok(there && place.crc.is_none_or(|crc| crc32c::crc32c(&self.buffer) == crc))
    }

    /// Fills `buffer` with the bytes `start` to `end` of a block; `false` if the file ends before
    /// them.
    fn fill(&mut self, block: BlockInfo, start: u32, end: u32) -> Answer<bool> {
        let Some(offset) = block.pos.offset.checked_add(start) else { return Ok(false) };
        let len = end.saturating_sub(start).min(BLOCK_BYTES_MAX);
        self.buffer.resize(len as usize, 0);
        let pos = FilePos { offset, ..block.pos };
        let read = self.view.dir().read_exact(Kind::Block, pos, &mut self.buffer);
        read.map_err(|error| self.view.failed(error))
    }

    /// All transactions with that txid, ascending: none, one, or two in different blocks (BIP 30).
    pub fn find(&mut self, txid: &Txid) -> Answer<Vec<(TxNum, TxPlace)>> {
        let candidates =
            self.view.find(RunKind::Txid, Prefix::of_txid(txid), TxNum(0), usize::MAX)?;
        let bits = self.view.prefix_bits();
        let short = |txid: &Txid| bits.shorten(Prefix::of_txid(txid));
        let mut found = Vec::new();
        for txnum in candidates {
            let place = self.place(txnum)?;
            let other = self.tx(&place)?.1;
            if other == *txid {
                found.push((txnum, place));
            } else if short(&other) != short(txid) {
                // another txid may begin with the same bits; one that does not stands elsewhere
                return Err(misread(self.view, place.height, "another transaction stands there"));
            }
        }
        Ok(found)
    }
}
