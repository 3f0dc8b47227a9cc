//! A stretch of a history: its transactions read, hashed and searched for one script.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::ids::{OutPoint, ScriptHash, TxNum, Txid};
use crate::parse::tx::is_unspendable;

use super::answers::{Answer, QueryError};
use super::search_limit::SearchLimit;
use super::tx::{TxPlace, TxReader};
use super::view::View;

/// Transactions in a part: first the places of all are looked up, then all are read.
const PART: usize = 64;
/// Reading a transaction from the disk takes longer than this, reading it from the page cache takes
/// less. After a part that was slow, the kernel is asked for all of the next part before that is
/// read, so that the disk can put several reads in order.
const SLOW_READ: Duration = Duration::from_micros(50);
/// A stretch ends when it holds more inputs than this, which bounds its memory: a single
/// transaction may have tens of thousands.
const SPENDS_MAX: usize = 16_384;

/// A search for one script.
pub struct Search<'a> {
    /// The script.
    pub script: &'a ScriptHash,
    /// The scriptPubKey, if an output with it was seen before.
    pub known: Option<&'a [u8]>,
    /// What it may cost.
    pub limit: &'a SearchLimit,
    /// Whether the part that was read last came from the disk; see `SLOW_READ`.
    pub slow: AtomicBool,
}

/// One transaction that was read.
pub struct ReadTx {
    /// Where it stands.
    pub place: TxPlace,
    /// Its txid.
    pub txid: Txid,
    /// How many of [`Stretch::spends`] are its own.
    pub spends: usize,
    /// How many of [`Stretch::pays`] are its own.
    pub pays: usize,
}

/// What was found, in chain order.
#[derive(Default)]
pub struct Stretch {
    /// The transactions; fewer than asked for if the time was over, if they had too many inputs, or
    /// after an error.
    pub txs: Vec<ReadTx>,
    /// All outputs that they spend, whatever script those pay.
    pub spends: Vec<OutPoint>,
    /// Their outputs to the script: index and satoshi.
    pub pays: Vec<(u32, u64)>,
    /// The scriptPubKey, if it was not known before.
    pub script: Option<Vec<u8>>,
    /// The error that ended it early, if one did.
    pub error: Option<QueryError>,
}

impl Search<'_> {
    /// Reads transactions of the view's chain, until all are read or a limit is met.
    pub fn read(&self, view: &View<'_>, txnums: &[TxNum]) -> Stretch {
        let mut stretch = Stretch::default();
        let mut reader = TxReader::new(view);
        for part in txnums.chunks(PART) {
            if let Err(error) = self.read_part(&mut reader, part, &mut stretch) {
                stretch.error = Some(error);
            }
            let over = self.limit.check_time().is_err();
            if over || stretch.error.is_some() || stretch.spends.len() > SPENDS_MAX {
                break;
            }
        }
        stretch
    }

    fn read_part(
        &self,
        reader: &mut TxReader<'_>,
        part: &[TxNum],
        stretch: &mut Stretch,
    ) -> Answer<()> {
        let begun = Instant::now();
        let places = part.iter().map(|txnum| reader.place(*txnum));
        let places = places.collect::<Answer<Vec<TxPlace>>>()?;
        if self.slow.load(Ordering::Relaxed) {
            places.iter().for_each(|place| reader.prefetch(place));
        }
        for place in places {
            self.search(reader, place, stretch)?;
            if stretch.spends.len() > SPENDS_MAX {
                break;
            }
        }
        let slow = begun.elapsed() > SLOW_READ * part.len() as u32;
        self.slow.store(slow, Ordering::Relaxed);
        Ok(())
    }

    /// Reads one transaction and notes what it spends, and what it pays to the script.
    fn search(
        &self,
        reader: &mut TxReader<'_>,
        place: TxPlace,
        stretch: &mut Stretch,
    ) -> Answer<()> {
        let (tx, txid) = reader.tx(&place)?;
        let spent_before = stretch.spends.len();
        stretch.spends.extend(tx.inputs());
        let paid_before = stretch.pays.len();
        for (vout, output) in (0u32..).zip(tx.outputs()) {
            if is_unspendable(output.script) {
                continue;
            }
            let pays = match self.known.or(stretch.script.as_deref()) {
                Some(known) => output.script == known,
                None => ScriptHash::of(output.script) == *self.script,
            };
            if pays {
                if self.known.is_none() && stretch.script.is_none() {
                    stretch.script = Some(output.script.to_vec());
                }
                stretch.pays.push((vout, output.value));
            }
        }
        let spends = stretch.spends.len() - spent_before;
        let pays = stretch.pays.len() - paid_before;
        stretch.txs.push(ReadTx { place, txid, spends, pays });
        Ok(())
    }
}
