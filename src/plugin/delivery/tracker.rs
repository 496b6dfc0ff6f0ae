//! All that is still to be delivered, whichever plugin has it: a process that ends waits for it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::budget::MemoryBudget;

/// A handle to what is still to be delivered; a clone is another one to the same.
#[derive(Clone)]
pub struct DeliveryTracker(Arc<TrackerState>);

struct TrackerState {
    waiting: AtomicUsize,
    /// Something was delivered, or given up.
    settled: Notify,
    ending: watch::Sender<bool>,
    /// What entries take that wait or are on their way, in all queues.
    memory: MemoryBudget,
}

/// How many bytes entries take that are still to be delivered; of more, the oldest are lost.
const MOST: usize = 64 << 20;

impl Default for DeliveryTracker {
    fn default() -> Self {
        Self::of_size(MOST)
    }
}

impl DeliveryTracker {
    /// One with room for so many bytes.
    pub(super) fn of_size(most: usize) -> Self {
        let (ending, _) = watch::channel(false);
        let (waiting, settled) = (AtomicUsize::new(0), Notify::new());
        Self(Arc::new(TrackerState { waiting, settled, ending, memory: MemoryBudget::new(most) }))
    }

    /// The memory for entries.
    pub(super) fn memory(&self) -> &MemoryBudget {
        &self.0.memory
    }

    /// Has everything delivered at once, and waits for that, but not longer than `limit`.
    ///
    /// Returns how many entries are left.
    pub async fn flush(&self, limit: Duration) -> usize {
        self.0.ending.send_replace(true);
        let empty = async {
            loop {
                let settled = self.0.settled.notified();
                if self.waiting() == 0 {
                    return;
                }
                settled.await;
            }
        };
        // Whether the time was enough is seen in what is left.
        let _ = timeout(limit, empty).await;
        self.waiting()
    }

    /// How many entries are still to be delivered.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(SeqCst)
    }

    pub(super) fn take_in(&self) {
        self.0.waiting.fetch_add(1, SeqCst);
    }

    pub(super) fn settle(&self, entries: usize) {
        self.0.waiting.fetch_sub(entries, SeqCst);
        self.0.settled.notify_waiters();
    }

    /// Returns when the process is about to end.
    pub(super) async fn ending(&self) {
        let mut ending = self.0.ending.subscribe();
        // The sender is in `self`: it is not gone.
        let _ = ending.wait_for(|ending| *ending).await;
    }
}

impl fmt::Debug for DeliveryTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("waiting", &self.waiting()).finish()
    }
}
