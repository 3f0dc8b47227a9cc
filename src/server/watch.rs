//! Brings changes of the tip to one client, without holding up its questions for long.

use std::sync::Arc;

use tokio::sync::{RwLock, mpsc};
use tokio::time::sleep;

use crate::limits::RECHECK_CHUNK;
use crate::server::Common;
use crate::server::outbox::Outgoing;
use crate::server::tips::TipListener;
use crate::session::subscription::Watched;
use crate::session::talk::Session;

/// Held for reading from the moment a subscription is looked up until its reply is queued, and
/// for writing from the look after a change until its notification is queued: so that no
/// notification overtakes the reply it belongs to.
pub(crate) type Lane = Arc<RwLock<()>>;

/// Notifies until the channel of tips or the client's queue is gone.
pub(crate) async fn notify(
    common: &Common,
    session: &Arc<Session>,
    lane: &Lane,
    mut tips: TipListener,
    queue: &mpsc::Sender<Outgoing>,
) {
    let pause = common.settings.retry_pause;
    let mut stale = Vec::new();
    loop {
        let change = tokio::select! {
            change = tips.next() => match change {
                Some(change) => Some(change),
                None => return,
            },
            () = sleep(pause), if !stale.is_empty() => None,
        };
        let watched = match change {
            Some(change) => {
                let order = lane.write().await;
                let (notice, watched) = session.tip_changed(&change);
                if let Some(line) = notice
                    && queue.send(Outgoing::plain(line)).await.is_err()
                {
                    return;
                }
                drop(order);
                watched
            }
            None => std::mem::take(&mut stale),
        };
        if !recheck(common, session, lane, &watched, queue).await {
            return;
        }
        stale = session.stale();
    }
}

/// Looks at everything in pieces, so that others get their turn; false if the client is gone.
async fn recheck(
    common: &Common,
    session: &Arc<Session>,
    lane: &Lane,
    watched: &[Watched],
    queue: &mpsc::Sender<Outgoing>,
) -> bool {
    for chunk in watched.chunks(RECHECK_CHUNK) {
        let _order = lane.write().await;
        for line in common.workers.recheck(session, chunk.to_vec()).await {
            if queue.send(Outgoing::plain(line)).await.is_err() {
                return false;
            }
        }
    }
    true
}
