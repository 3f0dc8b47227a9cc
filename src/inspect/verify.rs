//! `hekte verify`: every row and chunk read, every checksum and invariant checked.

use std::fmt;

use bitcoin::hashes::Hash;

use crate::chain::params::ChainParams;
use crate::config::Config;
use crate::error::Result;
use crate::hash::Sha256Stream;
use crate::ids::{BlockHash, Height, ShortPrefix, TxNum};
use crate::index::chunk::{Posting, Tally, TxRange};
use crate::index::items::{BlockItem, PositionItem};
use crate::parse::tx::header;
use crate::store::folder::INDEX_FILE;
use crate::store::items::stored_block;
use crate::store::open::{Db, Mode};
use crate::store::records::{BuildState, ItemTable, RunInfo, RunKind, State};
use crate::store::runs::{in_force, tiles};
use crate::store::stream::STREAM_ROWS;

use super::digest::hash_spans;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// What was looked at.
    pub checked: Vec<String>,
    /// What does not fit.
    pub faults: Vec<String>,
}

impl Verdict {
    /// Whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    fn note<T>(&mut self, what: &str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.checked.push(what.into());
                Some(value)
            }
            Err(error) => {
                self.faults.push(format!("{what}: {error}"));
                None
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.checked {
            writeln!(f, "ok       {line}")?;
        }
        for line in &self.faults {
            writeln!(f, "damaged  {line}")?;
        }
        write!(f, "{}", if self.is_sound() { "the index is sound" } else { "the index is damaged" })
    }
}

/// Verifies the index that the configuration names.
pub fn of_config(config: &Config) -> Result<Verdict> {
    let params = ChainParams::of(config.network.params()).with_magic(config.magic);
    let db = Db::open(&config.index_dir().join(INDEX_FILE), &params, Mode::Read)?;
    Ok(verify(&db, &params))
}

/// Verifies an open index.
pub fn verify(db: &Db, params: &ChainParams) -> Verdict {
    let mut verdict = Verdict::default();
    if verdict.note("a consistent moment", db.begin_read()).is_none() {
        return verdict;
    }
    verdict.note("pages of the database", db.quick_check());
    if let Some(state) = verdict.note("state", db.state()) {
        verdict.note("headers and first transactions", check_blocks(db, &state, params));
        verdict.note("spans of transactions, Merkle nodes", check_spans(db, &state));
        verdict.note("positions of blocks", check_positions(db, &state));
        if let Some(runs) = verdict.note("list of runs", db.runs().map(|runs| in_force(&runs))) {
            check_runs(db, &state, &runs, &mut verdict);
        }
    }
    verdict.note("end", db.end_read());
    verdict
}

fn broken<T>(db: &Db, what: impl fmt::Display) -> Result<T> {
    Err(crate::store::error::damaged(&db.path, what))
}

fn check_blocks(db: &Db, state: &State, params: &ChainParams) -> Result<()> {
    let mut previous = BlockHash::all_zeros();
    let mut first = 0;
    for height in (0..state.blocks).map(Height) {
        let BlockItem { header: bytes, first: txnum, .. } = stored_block(db, height)?;
        if header::previous(&bytes) != previous {
            return broken(db, format_args!("header {height} does not follow the one before; it"));
        }
        if (height.0 > 0 && txnum.0 <= first) || txnum.0 >= state.txs {
            return broken(db, format_args!("the first transaction of block {height}"));
        }
        previous = header::hash(&bytes);
        first = txnum.0;
        if height.0 == 0 && previous != params.genesis {
            return broken(db, "the first header");
        }
    }
    if previous != state.tip { broken(db, "the tip") } else { Ok(()) }
}

fn check_spans(db: &Db, state: &State) -> Result<()> {
    for table in [ItemTable::Spans, ItemTable::Nodes] {
        db.each_row(table, |_, _| Ok(()))?;
    }
    match state.height() {
        // the digest visits each span and node there must be
        Some(height) => hash_spans(db, height, TxNum(state.txs), &mut Sha256Stream::default()),
        None => Ok(()),
    }
}

fn check_positions(db: &Db, state: &State) -> Result<()> {
    let mut items = 0;
    db.each_row(ItemTable::Positions, |_, row| {
        items += row.len() / PositionItem::BYTES;
        Ok(())
    })?;
    if items < state.blocks as usize { broken(db, "the end of positions") } else { Ok(()) }
}

fn check_runs(db: &Db, state: &State, runs: &[RunInfo], verdict: &mut Verdict) {
    if state.phase == BuildState::Ready {
        for kind in RunKind::ALL {
            let whole = tiles(runs, kind, state.txs);
            let outcome = if whole { Ok(()) } else { broken(db, "the tiling of runs") };
            verdict.note(&format!("{kind:?} runs cover all transactions"), outcome);
        }
    }
    for run in runs {
        verdict.note(&format!("{:?} run {}", run.kind, run.id), check_run(db, run));
    }
}

fn check_run(db: &Db, run: &RunInfo) -> Result<()> {
    let mut last: Option<Posting> = None;
    let (mut stored, mut count) = (Tally::default(), 0u64);
    // those that were disconnected, too
    let range = TxRange { end: TxNum(u32::MAX), ..run.range };
    let mut postings = db.stream(RunInfo { range, ..*run }, ShortPrefix(0), STREAM_ROWS);
    for posting in postings.by_ref() {
        let posting = posting?;
        if last.is_some_and(|last| last >= posting) {
            return broken(db, format_args!("the order of run {}", run.id));
        }
        last = Some(posting);
        stored.add(posting);
        count += u64::from(run.range.contains(posting.txnum));
    }
    if stored != run.written || stored != run.wanted {
        return broken(db, format_args!("the sum over all postings in run {}", run.id));
    }
    if postings.bytes() != run.bytes {
        return broken(db, format_args!("the number of bytes in run {}", run.id));
    }
    let txids = run.kind == RunKind::Txid;
    if txids && count != u64::from(run.range.count()) {
        return broken(db, format_args!("the number of txids in run {}", run.id));
    }
    Ok(())
}
