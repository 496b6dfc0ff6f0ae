//! Tracker of undelivered log entries in all queues; the shutdown waits for it.

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

/// Handle to the number of undelivered entries and their memory. Clones share them.
#[derive(Clone)]
pub struct DeliveryTracker(Arc<TrackerState>);

struct TrackerState {
    waiting: AtomicUsize,
    /// Notified when entries were delivered or dropped.
    finished: Notify,
    ending: watch::Sender<bool>,
    /// The memory of undelivered entries in all queues.
    memory: MemoryBudget,
}

/// The memory limit of undelivered entries, in bytes. Beyond it, the oldest are dropped.
const MAX_BYTES: usize = 64 << 20;

impl Default for DeliveryTracker {
    fn default() -> Self {
        Self::with_memory(MAX_BYTES)
    }
}

impl DeliveryTracker {
    /// A tracker with this memory limit in bytes.
    pub(super) fn with_memory(max_bytes: usize) -> Self {
        let (ending, _) = watch::channel(false);
        let (waiting, finished) = (AtomicUsize::new(0), Notify::new());
        Self(Arc::new(TrackerState { waiting, finished, ending, memory: MemoryBudget::new(max_bytes) }))
    }

    /// The memory for entries.
    pub(super) fn memory(&self) -> &MemoryBudget {
        &self.0.memory
    }

    /// Delivers all entries without further delay, and waits for that up to `limit`.
    ///
    /// Returns the number of entries that are left.
    pub async fn flush(&self, limit: Duration) -> usize {
        self.0.ending.send_replace(true);
        let empty = async {
            loop {
                let finished = self.0.finished.notified();
                if self.waiting() == 0 {
                    return;
                }
                finished.await;
            }
        };
        // A timeout shows in the number of entries left.
        let _ = timeout(limit, empty).await;
        self.waiting()
    }

    /// The number of undelivered entries.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(SeqCst)
    }

    pub(super) fn add_entry(&self) {
        self.0.waiting.fetch_add(1, SeqCst);
    }

    pub(super) fn remove_entries(&self, entries: usize) {
        self.0.waiting.fetch_sub(entries, SeqCst);
        self.0.finished.notify_waiters();
    }

    /// Completes when the process shuts down.
    pub(super) async fn ending(&self) {
        let mut ending = self.0.ending.subscribe();
        // The sender is in `self`, so that receiving cannot fail.
        let _ = ending.wait_for(|ending| *ending).await;
    }
}

impl fmt::Debug for DeliveryTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryTracker").field("waiting", &self.waiting()).finish()
    }
}
