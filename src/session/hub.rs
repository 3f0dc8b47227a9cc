//! What all sessions share: whom they ask, the texts in force, and the count of what is watched.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use crate::host::lock::{read, write};
use crate::query::answers::Answers;
use crate::query::relay::Relay;
use crate::session::config::{SessionConfig, Texts};

/// What every session holds on to.
pub struct SessionHub {
    /// What the server says of itself, and what one client may cost.
    pub config: SessionConfig,
    /// The index and the mempool.
    pub answers: Arc<dyn Answers>,
    /// bitcoind, for transactions to be sent and for fees.
    pub relay: Arc<Relay>,
    watched: AtomicUsize,
    texts: RwLock<Texts>,
}

impl SessionHub {
    /// Puts together what sessions need.
    pub fn new(config: SessionConfig, answers: Arc<dyn Answers>, relay: Arc<Relay>) -> SessionHub {
        let (watched, texts) = (AtomicUsize::new(0), RwLock::new(config.texts.clone()));
        SessionHub { config, answers, relay, watched, texts }
    }

    /// The texts in force.
    pub fn texts(&self) -> Texts {
        read(&self.texts).clone()
    }

    /// Puts other texts in force.
    pub fn set_texts(&self, texts: Texts) {
        *write(&self.texts) = texts;
    }

    /// Counts one more watched script or outpoint; false if all clients together watch as many as
    /// they may.
    pub fn watch_one(&self) -> bool {
        let max = self.config.max_watched;
        let more = |count: usize| (count < max).then(|| count.saturating_add(1));
        self.watched.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Counts `count` watched scripts or outpoints less.
    pub fn unwatch(&self, count: usize) {
        let before = self.watched.fetch_sub(count, Ordering::Relaxed);
        assert!(before >= count, "{count} given back of {before} watched");
    }

    /// Scripts and outpoints watched by all clients.
    pub fn watched(&self) -> usize {
        self.watched.load(Ordering::Relaxed)
    }
}
