//! Memory that clients' requests and replies may take together, counted while it is in use.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that one permit of the semaphore stands for.
const PERMIT_BYTES: usize = 1024;

/// Memory that may be taken by many at once; clones are the same budget.
#[derive(Clone)]
pub(crate) struct ByteBudget(Arc<Semaphore>);

/// What is held of a budget; given back when it is dropped.
#[derive(Default)]
pub(crate) struct HeldBytes(Option<OwnedSemaphorePermit>);

impl HeldBytes {
    /// How much it is, in whole KiB.
    pub(crate) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) * PERMIT_BYTES
    }

    /// Gives back what is held beyond `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        if let Some(permit) = &mut self.0 {
            let surplus = permit.num_permits().saturating_sub(bytes.div_ceil(PERMIT_BYTES));
            drop(permit.split(surplus));
        }
    }
}

impl ByteBudget {
    /// A budget of `bytes`.
    pub(crate) fn new(bytes: usize) -> ByteBudget {
        ByteBudget(Arc::new(Semaphore::new(bytes / PERMIT_BYTES)))
    }

    /// Takes as much as `held` lacks of `bytes`; false if the budget does not have it.
    pub(crate) fn grow(&self, held: &mut HeldBytes, bytes: usize) -> bool {
        let lacking = bytes.saturating_sub(held.bytes());
        if lacking == 0 {
            return true;
        }
        let Some(permits) = permits(lacking) else { return false };
        let Ok(more) = self.0.clone().try_acquire_many_owned(permits) else { return false };
        match &mut held.0 {
            Some(permit) => permit.merge(more),
            None => held.0 = Some(more),
        }
        true
    }

    /// Takes `bytes` as soon as the budget has them.
    pub(crate) async fn wait_for(&self, bytes: usize) -> HeldBytes {
        let Some(permits) = permits(bytes) else { return HeldBytes::default() };
        HeldBytes(self.0.clone().acquire_many_owned(permits).await.ok())
    }
}

fn permits(bytes: usize) -> Option<u32> {
    u32::try_from(bytes.div_ceil(PERMIT_BYTES)).ok()
}
