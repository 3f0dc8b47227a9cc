//! What all sessions share: index, bitcoind, the texts in force, the count of watched items.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use crate::host::lock::{read, write};
use crate::query::answers::Answers;
use crate::query::relay::Relay;
use crate::session::config::{SessionConfig, Texts};

/// What all sessions share.
pub struct SessionHub {
    /// What the server tells clients about itself, and the limits for one client.
    pub config: SessionConfig,
    /// Answers from the index and the mempool.
    pub answers: Arc<dyn Answers>,
    /// bitcoind, for sending transactions and for fees.
    pub relay: Arc<Relay>,
    watched: AtomicUsize,
    texts: RwLock<Texts>,
}

impl SessionHub {
    /// A hub in which nothing is watched yet.
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

    /// Counts `count` fewer watched scripts or outpoints.
    pub fn unwatch(&self, count: usize) {
        let before = self.watched.fetch_sub(count, Ordering::Relaxed);
        assert!(before >= count, "{count} given back of {before} watched");
    }

    /// The number of scripts and outpoints watched by all clients.
    pub fn watched(&self) -> usize {
        self.watched.load(Ordering::Relaxed)
    }
}
