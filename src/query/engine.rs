//! Every question of a session, answered from one view.

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

/// How often a question starts again when the tip moves while it is being answered.
pub(super) const MOMENT_TRIES: u32 = 10;

/// What a question may cost, and what is kept for the next.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Transactions in one history.
    pub max_history: u32,
    /// Time for one question.
    pub query_time: Duration,
    /// Bytes of summaries kept.
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
    /// An engine over those views.
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
        // before the view is opened: a question that waits here must not hold a read transaction
        let slot = self.summaries.get(script);
        let mut summary = lock(&slot);
        let limit = self.search_limit();
        for _ in 0..MOMENT_TRIES {
            let snap = self.up_to_date(script, &mut summary, &limit)?;
            let served = self.views.served();
            let pool = served.mempool();
            // no moment is published while the mempool is held
            if !Arc::ptr_eq(&snap, &served.snapshot()) {
                continue;
            }
            let value_of = |out: &OutPoint| summary.coins.get(out).map(|coin| coin.value);
            let count = summary.coins.len();
            let tag = ScriptTag::of(script);
            let effect = effect_on(&pool, tag, count, value_of, summary.coins.keys());
            // still held: what `pick` notes must be there before the mempool changes
            let picked = pick(&summary, effect);
            drop(pool);
            return tell(&summary, picked);
        }
        Err(QueryError::Busy)
    }

    /// The present moment, after `summary` was brought up to it. No view is opened where nothing is
    /// to be read: after a block that is so for all but the first client that watches a script.
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
