//! Reads, checks and extracts blocks with several threads, and hands them on in chain order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Condvar, Mutex};
use std::thread;

use crate::error::Result;
use crate::host::lock::lock;
use crate::ids::Height;
use crate::limits::{AHEAD_BYTES_MAX, BLOCKS_AHEAD_MAX, BLOCKS_PER_TURN};
use crate::sync::blocks::load::{BlockLoader, Load, LoadBuffers};

use super::plan::Plan;

/// What a worker sends of a turn: the height of its first block, and its blocks or the first error.
type Turn = (u32, Result<Vec<Load>>);

/// Which blocks are still to be read, and how far workers are ahead of the collector.
struct Work<'a> {
    loader: &'a BlockLoader,
    plan: &'a Plan,
    end: u32,
    next: AtomicU32,
    /// First height not yet collected.
    collected: Mutex<u32>,
    /// Bytes of blocks that were read and not yet collected.
    ahead: AtomicUsize,
    moved: Condvar,
    stop: AtomicBool,
}

/// Calls `sink` with the blocks of `plan` from height `from` on, in order, until it returns
/// `false` or the plan ends.
pub fn read_blocks(
    loader: &BlockLoader,
    plan: &Plan,
    from: u32,
    threads: usize,
    mut sink: impl FnMut(Height, Load) -> Result<bool>,
) -> Result<()> {
    let work = Work {
        loader,
        plan,
        end: plan.blocks(),
        next: AtomicU32::new(from),
        collected: Mutex::new(from),
        ahead: AtomicUsize::new(0),
        moved: Condvar::new(),
        stop: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..threads.max(1) {
            let sender = sender.clone();
            scope.spawn(|| work.run(sender));
        }
        drop(sender);
        let outcome = work.collect(from, &receiver, &mut sink);
        {
            // the flag is set under the lock: a worker that has just looked at it, and is about to
            // wait, would otherwise miss the call to wake up and wait for ever
            let _held = lock(&work.collected);
            work.stop.store(true, Ordering::Relaxed);
        }
        work.moved.notify_all();
        // workers that still send fail once the receiver is dropped, and end
        drop(receiver);
        outcome
    })
}

impl Work<'_> {
    fn run(&self, sender: Sender<Turn>) {
        let mut buffers = LoadBuffers::default();
        loop {
            let start = self.next.fetch_add(BLOCKS_PER_TURN, Ordering::Relaxed);
            if start >= self.end || !self.wait_for_turn(start) {
                return;
            }
            let end = self.end.min(start + BLOCKS_PER_TURN);
            let load = |height| {
                // waits between blocks, too: the large blocks of one turn may need more room than
                // there is
                if height > start && !self.wait_for_turn(start) {
                    return Ok(Load::Unusable("reading was stopped".into()));
                }
                self.load(height, &mut buffers)
            };
            let blocks = (start..end).map(load).collect();
            if sender.send((start, blocks)).is_err() {
                return;
            }
        }
    }

    /// Waits until the turn that begins at `start` may go on: the collector is near, and there is
    /// memory for more blocks. `false` when reading was stopped.
    fn wait_for_turn(&self, start: u32) -> bool {
        let collected = lock(&self.collected);
        let waited = self.moved.wait_while(collected, |collected| {
            let full = self.ahead.load(Ordering::Relaxed) > AHEAD_BYTES_MAX;
            // the turn that is collected next always goes on, or all threads would wait for one
            // another
            let far = start >= *collected + BLOCKS_AHEAD_MAX || full && start > *collected;
            far && !self.stop.load(Ordering::Relaxed)
        });
        drop(waited);
        !self.stop.load(Ordering::Relaxed)
    }

    fn load(&self, height: u32, buffers: &mut LoadBuffers) -> Result<Load> {
        let Some(copies) = self.plan.copies(Height(height)) else {
            return Ok(Load::Unusable("it is not in the plan".into()));
        };
        let load = self.loader.load(&copies, buffers)?;
        self.ahead.fetch_add(load.held_bytes(), Ordering::Relaxed);
        Ok(load)
    }

    fn collect(
        &self,
        from: u32,
        receiver: &Receiver<Turn>,
        sink: &mut impl FnMut(Height, Load) -> Result<bool>,
    ) -> Result<()> {
        let mut early: BTreeMap<u32, Result<Vec<Load>>> = BTreeMap::new();
        let mut next = from;
        while next < self.end {
            let Some(turn) = early.remove(&next) else {
                match receiver.recv() {
                    Ok((start, turn)) => early.insert(start, turn),
                    Err(_) => return Ok(()),
                };
                continue;
            };
            for load in turn? {
                self.ahead.fetch_sub(load.held_bytes(), Ordering::Relaxed);
                if !sink(Height(next), load)? {
                    return Ok(());
                }
                next += 1;
            }
            *lock(&self.collected) = next;
            self.moved.notify_all();
        }
        Ok(())
    }
}
