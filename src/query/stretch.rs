//! A stretch of a history: its transactions read, hashed and searched for one script.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::ids::{OutPoint, ScriptHash, TxNum, Txid};
use crate::parse::tx::is_unspendable;

use super::answers::{Answer, QueryError};
use super::search_limit::SearchLimit;
use super::tx::{TxPlace, TxReader};
use super::view::View;

/// Transactions that are read in one go.
const PART: usize = 64;
/// Reading a transaction takes longer than this where it is not cached; then the kernel is told of
/// a whole part before it is read, so that a disk has several reads to order.
const SLOW_READ: Duration = Duration::from_micros(50);
/// A stretch ends when it holds more inputs than this: a transaction may have tens of thousands.
const SPENDS_MAX: usize = 16_384;

/// What is looked for.
pub struct Search<'a> {
    /// The script.
    pub script: &'a ScriptHash,
    /// The scriptPubKey, if an output with it was seen before.
    pub known: Option<&'a [u8]>,
    /// What it may cost.
    pub limit: &'a SearchLimit,
    /// Whether reads came from the disk the last time.
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
    /// The transactions; fewer than asked for if it took too long or too much.
    pub txs: Vec<ReadTx>,
    /// All that they spend, of whatever script.
    pub spends: Vec<OutPoint>,
    /// Their outputs to the script: index and satoshi.
    pub pays: Vec<(u32, u64)>,
    /// The scriptPubKey, if it was not known before.
    pub script: Option<Vec<u8>>,
    /// Why it ended early.
    pub error: Option<QueryError>,
}

impl Search<'_> {
    /// Reads transactions, all in the view's chain.
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
