//! The engine that answers sessions: what its questions share, and how a question about a script
//! gets chain and mempool of one moment.

use std::sync::Arc;
use std::time::Duration;

use crate::host::lock::lock;
use crate::ids::{OutPoint, ScriptHash};
use crate::live::progress::Progress;
use crate::live::served::Snapshot;
use crate::mempool::effect::{MempoolEffect, effect_on};
use crate::mempool::script_tag::ScriptTag;
use crate::node::calls::NodeCalls;

use super::answers::{Answer, QueryError};
use super::headers::HeaderProofs;
use super::history::update;
use super::node_tx::NodeTransactions;
use super::search_limit::SearchLimit;
use super::summary::{Summaries, Summary};
use super::view::Views;

/// How often a question is tried when another moment is published while it is being answered.
pub(super) const MOMENT_TRIES: u32 = 10;

/// What one question may cost, and how much is kept for later ones.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Most transactions in one history.
    pub max_history: u32,
    /// Longest time to read the history of one script, or to find what spends an output. The wait
    /// for another question about the same script is not counted.
    pub query_time: Duration,
    /// Most bytes of summaries that are kept.
    pub summary_bytes: usize,
}

/// Answers from the index.
pub struct Engine {
    pub(super) views: Views,
    costs: Costs,
    summaries: Summaries,
    pub(super) proofs: HeaderProofs,
    pub(super) progress: Arc<Progress>,
    pub(super) unconfirmed: NodeTransactions,
}

impl Engine {
    /// An engine that reads through `views` and asks `node`, if there is one, for unconfirmed
    /// transactions.
    pub fn new(
        views: Views,
        costs: Costs,
        progress: Arc<Progress>,
        node: Option<Arc<dyn NodeCalls>>,
    ) -> Engine {
        let summaries = Summaries::new(costs.summary_bytes);
        Engine {
            views,
            costs,
            summaries,
            proofs: HeaderProofs::default(),
            progress,
            unconfirmed: NodeTransactions { node },
        }
    }

    pub(super) fn search_limit(&self) -> SearchLimit {
        SearchLimit::from_now(self.costs.max_history, self.costs.query_time)
    }

    /// Calls `tell` with the up-to-date summary of a script and what the mempool adds to it, both
    /// of one moment.
    pub(super) fn with_script<T>(
        &self,
        script: &ScriptHash,
        tell: impl FnOnce(&Summary, &MempoolEffect) -> Answer<T>,
    ) -> Answer<T> {
        let told = |summary: &Summary, effect: MempoolEffect| tell(summary, &effect);
        self.with_script_after(script, told, |_, told| told)
    }

    /// Like `with_script`, in two steps. `pick` runs while the mempool's lock is held; `tell` runs
    /// after the lock was released, on the summary of that moment, so that a long answer does not
    /// delay new blocks.
    pub(super) fn with_script_after<P, T>(
        &self,
        script: &ScriptHash,
        pick: impl FnOnce(&Summary, MempoolEffect) -> P,
        tell: impl FnOnce(&Summary, P) -> Answer<T>,
    ) -> Answer<T> {
        // the summary is locked before a view is opened: a question that waits for the lock must
        // not hold a read transaction meanwhile
        let slot = self.summaries.get(script);
        let mut summary = lock(&slot);
        let limit = self.search_limit();
        for _ in 0..MOMENT_TRIES {
            let snap = self.up_to_date(script, &mut summary, &limit)?;
            let served = self.views.served();
            let pool = served.mempool();
            // a moment is published under the mempool's write lock, so none is while this lock is
            // held
            if !Arc::ptr_eq(&snap, &served.snapshot()) {
                continue;
            }
            let value_of = |out: &OutPoint| summary.coins.get(out).map(|coin| coin.value);
            let count = summary.coins.len();
            let tag = ScriptTag::of(script);
            let effect = effect_on(&pool, tag, count, value_of, summary.coins.keys());
            // under the lock, since the coins that `pick` notes must be known before the mempool
            // changes
            let picked = pick(&summary, effect);
            drop(pool);
            return tell(&summary, picked);
        }
        Err(QueryError::Busy)
    }

    /// Brings `summary` up to the present moment, and returns that moment. If the summary is up to
    /// date already, no view is opened: after a block, only the first of the clients that watch a
    /// script has anything to read.
    fn up_to_date(
        &self,
        script: &ScriptHash,
        summary: &mut Summary,
        limit: &SearchLimit,
    ) -> Answer<Arc<Snapshot>> {
        let served = self.views.served();
        let snap = served.snapshot();
        if served.serving() && summary.is_of(&snap) {
            return Ok(snap);
        }
        let view = self.views.open()?;
        let updated = update(&view, script, summary, limit, &self.summaries);
        self.summaries.weigh(script, summary);
        updated?;
        Ok(view.snap.clone())
    }
}
