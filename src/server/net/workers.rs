//! A bounded number of threads for work that blocks: those of the index apart from those that wait
//! for bitcoind.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::sleep;

use crate::host::beat::Beat;
use crate::limits::BEAT_EVERY;
use crate::server::net::settings::Settings;

/// Permits to occupy a blocking thread, handed out in the order of asking.
pub(crate) struct Workers {
    index: Semaphore,
    node: Semaphore,
    beat: Beat,
    silence_max: Duration,
}

impl Workers {
    pub(crate) fn new(settings: &Settings) -> Workers {
        Workers {
            index: Semaphore::new(settings.index_workers),
            node: Semaphore::new(settings.node_workers),
            beat: Beat::new("the threads that answer questions"),
            silence_max: settings.silence_max,
        }
    }

    /// Says now and then that questions to the index are still answered, also while no client asks
    /// any. Questions that wait for bitcoind do not count.
    pub(crate) async fn keep_beating(&self) {
        loop {
            self.beat.within(self.silence_max);
            sleep(BEAT_EVERY).await;
            self.on_index_thread(|| ()).await;
        }
    }

    /// What long work on a thread of the index calls after each of its steps.
    pub(crate) fn step_done(&self) -> impl Fn() + Send + 'static {
        let (beat, silence_max) = (self.beat.clone(), self.silence_max);
        move || beat.within(silence_max)
    }

    /// Work on the present thread, as one of those of the index; the thread's other tasks move to
    /// another one if it takes long. Most answers are there sooner than a second thread would be
    /// awake.
    pub(crate) async fn in_place<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let _permit = self.index.acquire().await.ok()?;
        let outcome = block_in_place(work);
        self.beat.within(self.silence_max);
        Some(outcome)
    }

    /// Work on a thread of the index; `None` if it panicked.
    pub(crate) async fn on_index_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let outcome = blocking(&self.index, work).await;
        self.beat.within(self.silence_max);
        outcome
    }

    /// Work on a thread that may wait for bitcoind; `None` if it panicked.
    pub(crate) async fn on_node_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        blocking(&self.node, work).await
    }
}

/// Runs `work` on a blocking thread once there is a permit.
async fn blocking<T: Send + 'static>(
    permits: &Semaphore,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    // an error would mean that the semaphore was closed, which nothing does
    let _permit = permits.acquire().await.ok()?;
    spawn_blocking(work).await.ok()
}
