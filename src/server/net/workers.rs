//! A bounded number of threads for work that blocks. Work on the index and work that waits for
//! bitcoind have separate bounds, so that a hung bitcoind does not stop the index.

use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::sleep;

use crate::host::beat::Beat;
use crate::limits::BEAT_EVERY;
use crate::server::net::settings::Settings;

/// Permits to occupy a blocking thread, given out in the order in which they were asked for.
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

    /// Reports now and then, even while no client asks anything, that questions to the index are
    /// still answered. Questions that wait for bitcoind do not count.
    pub(crate) async fn keep_beating(&self) {
        loop {
            self.beat.within(self.silence_max);
            sleep(BEAT_EVERY).await;
            self.on_index_thread(|| ()).await;
        }
    }

    /// A function that long work on a thread of the index calls after each of its steps.
    pub(crate) fn step_done(&self) -> impl Fn() + Send + 'static {
        let (beat, silence_max) = (self.beat.clone(), self.silence_max);
        move || beat.within(silence_max)
    }

    /// Runs `work` on the present thread, counted among those of the index; if it takes long, the
    /// thread's other tasks move to another thread. Most answers are finished before a second
    /// thread would wake up.
    pub(crate) async fn in_place<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let _permit = self.index.acquire().await.ok()?;
        let outcome = block_in_place(work);
        self.beat.within(self.silence_max);
        Some(outcome)
    }

    /// Runs `work` on a thread of the index; `None` if it panicked.
    pub(crate) async fn on_index_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let outcome = blocking(&self.index, work).await;
        self.beat.within(self.silence_max);
        outcome
    }

    /// Runs `work` on a thread that may wait for bitcoind; `None` if it panicked.
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
    // an error would mean that the semaphore was closed, but nothing closes it
    let _permit = permits.acquire().await.ok()?;
    spawn_blocking(work).await.ok()
}
