//! Brings changes of the tip to one client, without holding up its questions for long.

use std::sync::Arc;

use tokio::sync::{RwLock, mpsc};
use tokio::time::sleep;

use crate::limits::RECHECK_CHUNK;
use crate::server::electrum::answer::recheck;
use crate::server::electrum::common::Common;
use crate::server::electrum::outbox::Outgoing;
use crate::server::electrum::tips::{TipListener, TouchListener};
use crate::session::subscription::Watched;
use crate::session::talk::Session;
use crate::session::watch_list::noise;

/// Two locks that keep a client's notifications behind the replies they belong to. Each is held for
/// reading from the moment a subscription is looked up until its reply is queued, and for writing
/// from the look after a change until the notification is queued.
#[derive(Default)]
pub(crate) struct Lanes {
    /// For notifications of the tip, which must not wait while scripts are looked at.
    pub(crate) tip: RwLock<()>,
    /// For notifications of scripts and outpoints.
    pub(crate) watched: RwLock<()>,
}

/// What is needed to notify one client.
pub(crate) struct Notifier<'a> {
    pub(crate) common: &'a Common,
    pub(crate) session: &'a Arc<Session>,
    pub(crate) lanes: &'a Lanes,
    pub(crate) queue: &'a mpsc::Sender<Outgoing>,
}

impl Notifier<'_> {
    /// Notifies until the channel of changes or the client's queue is gone.
    pub(crate) async fn run(&self, (tips, touched): (TipListener, TouchListener)) {
        tokio::select! {
            () = self.tell_tips(tips) => {}
            () = self.tell_touched(touched) => {}
        }
    }

    async fn tell_tips(&self, mut tips: TipListener) {
        while let Some(announced) = tips.next().await {
            let mut announced = Some(announced);
            let order = match self.lanes.tip.try_write() {
                Ok(order) => order,
                Err(_) => {
                    // this client has to wait; the scripts of other clients need not
                    announced = None;
                    self.lanes.tip.write().await
                }
            };
            let Some(line) = self.session.watching().tip_notice() else { continue };
            let sent = self.queue.try_send(Outgoing::plain(line));
            drop(announced);
            if let Err(full) = sent
                && self.queue.send(full.into_inner()).await.is_err()
            {
                return;
            }
            drop(order);
        }
    }

    async fn tell_touched(&self, mut touched: TouchListener) {
        let watching = self.session.watching();
        let pause = self.common.settings.retry_pause;
        let mut stale = Vec::new();
        let mut tip = watching.tip();
        loop {
            let mut new_tip = false;
            let watched = tokio::select! {
                change = touched.next() => match change {
                    Some(change) => {
                        new_tip = std::mem::replace(&mut tip, change.tip) != change.tip;
                        watching.concerned(&change)
                    }
                    None => return,
                },
                () = sleep(pause), if !stale.is_empty() => std::mem::take(&mut stale),
            };
            let Some(told) = self.recheck(&watched).await else { return };
            if let Some(noise) = self.noise(new_tip, told)
                && self.queue.send(Outgoing::plain(noise)).await.is_err()
            {
                return;
            }
            stale = watching.stale();
        }
    }

    /// What hides from an onlooker whether a new block concerned this client, if it needs hiding.
    fn noise(&self, new_tip: bool, told: usize) -> Option<String> {
        (new_tip && self.session.is_padded()).then(|| noise(told)).flatten()
    }

    /// Looks at everything in pieces, so that others get their turn. How many notifications were
    /// sent; `None` if the client is gone.
    async fn recheck(&self, watched: &[Watched]) -> Option<usize> {
        let mut sent = 0;
        for chunk in watched.chunks(RECHECK_CHUNK) {
            let _order = self.lanes.watched.write().await;
            for line in recheck(&self.common.workers, self.session, chunk.to_vec()).await {
                self.queue.send(Outgoing::plain(line)).await.ok()?;
                sent += 1;
            }
        }
        Some(sent)
    }
}
