//! How changes reach the connections: the tip first, to all clients, then the touched scripts.

use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::limits::TIP_QUEUE_CHANGES;
use crate::live::tip::TipChange;
use crate::live::touched::TouchedList;

/// A tip change on its way to the clients. Each client holds an `Arc` of it until the new header is
/// queued; when the last one is dropped, `drop` tells all clients which scripts to look at again.
pub(crate) struct Announced {
    change: Arc<TipChange>,
    touched: broadcast::Sender<Arc<TipChange>>,
}

impl Drop for Announced {
    fn drop(&mut self) {
        // an error only means that no client is connected
        let _ = self.touched.send(self.change.clone());
    }
}

/// Both ends of the channel; a clone belongs to the same channel.
#[derive(Clone)]
pub struct TipChannel {
    tips: broadcast::Sender<Arc<Announced>>,
    touched: broadcast::Sender<Arc<TipChange>>,
}

impl Default for TipChannel {
    fn default() -> TipChannel {
        TipChannel {
            tips: broadcast::Sender::new(TIP_QUEUE_CHANGES),
            touched: broadcast::Sender::new(TIP_QUEUE_CHANGES),
        }
    }
}

impl TipChannel {
    /// Notifies every client: all of them about the tip, then about what was touched. Call it after
    /// the index answers at the new tip. It may be called from any thread and never blocks.
    pub fn announce(&self, change: TipChange) {
        let (change, touched) = (Arc::new(change), self.touched.clone());
        // if no client is connected, the change comes back as an error and is dropped
        let _ = self.tips.send(Arc::new(Announced { change, touched }));
    }

    /// Notifies every client about what was touched while the tip stayed.
    pub fn announce_touched(&self, change: TipChange) {
        let _ = self.touched.send(Arc::new(change));
    }

    /// Receivers of all changes from now on.
    pub(crate) fn listen(&self) -> (TipListener, TouchListener) {
        (TipListener(self.tips.subscribe()), TouchListener(self.touched.subscribe()))
    }
}

/// One client's receiver of tip changes.
pub(crate) struct TipListener(broadcast::Receiver<Arc<Announced>>);

impl TipListener {
    /// The next change; the client holds it until its notification is queued. Changes may be
    /// skipped, since only the newest tip counts; `None` when there will be no more.
    pub(crate) async fn next(&mut self) -> Option<Arc<Announced>> {
        loop {
            match self.0.recv().await {
                Ok(announced) => return Some(announced),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// One client's receiver of changes to scripts and outpoints.
pub(crate) struct TouchListener(broadcast::Receiver<Arc<TipChange>>);

impl TouchListener {
    /// The next change, joined with all that have arrived meanwhile; `None` when there will be no
    /// more.
    pub(crate) async fn next(&mut self) -> Option<TipChange> {
        let mut lagged = false;
        let first = loop {
            match self.0.recv().await {
                Ok(change) => break change,
                // changes were lost, so everything may be touched
                Err(RecvError::Lagged(_)) => lagged = true,
                Err(RecvError::Closed) => return None,
            }
        };
        let mut changes = vec![first];
        loop {
            match self.0.try_recv() {
                Ok(change) => changes.push(change),
                Err(TryRecvError::Lagged(_)) => lagged = true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        joined(&changes, lagged)
    }
}

/// One change with the last tip and everything that any of the changes touched.
fn joined(changes: &[Arc<TipChange>], lagged: bool) -> Option<TipChange> {
    let last = changes.last()?;
    if let ([only], false) = (changes, lagged) {
        return Some(TipChange::clone(only));
    }
    let mut union = if lagged { TouchedList::any() } else { TouchedList::default() };
    for change in changes {
        union.merge(&change.touched);
    }
    Some(TipChange { tip: last.tip, touched: union.finish() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Height, Prefix};
    use crate::live::tip::Tip;
    use crate::live::touched::Touched;

    fn these(touched: Option<&[u64]>) -> Touched {
        touched.map_or(Touched::Any, |list| Touched::from_iter(list.iter().copied().map(Prefix)))
    }

    fn change(height: u32, touched: Option<&[u64]>) -> Arc<TipChange> {
        let touched = these(touched);
        let tip = Tip { height: Height(height), header: [0; 80] };
        Arc::new(TipChange { tip, touched })
    }

    fn check(changes: &[Arc<TipChange>], lagged: bool, height: u32, touched: Option<&[u64]>) {
        let seen = joined(changes, lagged).map(|change| (change.tip.height.0, change.touched));
        assert_eq!(seen, Some((height, these(touched))));
    }

    #[test]
    fn changes_are_joined_without_loss() {
        let (a, b) = (change(1, Some(&[5, 9])), change(2, Some(&[3, 5])));
        check(std::slice::from_ref(&a), false, 1, Some(&[5, 9]));
        check(&[a.clone(), b.clone()], false, 2, Some(&[3, 5, 9]));
        check(&[a.clone(), change(2, None), b.clone()], false, 2, None);
        check(&[a, b], true, 2, None);
    }
    #[test]
    fn what_was_touched_is_told_when_all_have_the_tip() {
        let channel = TipChannel::default();
        let (mut first, mut touched) = channel.listen();
        let (mut second, _) = channel.listen();
        let (third, _) = channel.listen();
        channel.announce(TipChange::clone(&change(1, None)));
        let heard = [first.0.try_recv().is_ok(), second.0.try_recv().is_ok()];
        assert_eq!(heard, [true; 2]);
        assert!(touched.0.try_recv().is_err(), "the third has not heard of the tip");
        drop(third);
        assert!(touched.0.try_recv().is_ok(), "and now it is gone");
        channel.announce_touched(TipChange::clone(&change(1, None)));
        assert!(touched.0.try_recv().is_ok() && first.0.try_recv().is_err());
    }
}
