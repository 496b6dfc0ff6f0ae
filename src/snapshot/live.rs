//! Current Snapshot, behind one pointer that a reload swaps.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, futures::Notified};

use super::Snapshot;

/// Holds the current Snapshot.
#[derive(Debug)]
pub struct LiveSnapshot {
    current: ArcSwap<Snapshot>,
    changed: Notify,
    /// Snapshots that are or were current.
    published_snapshots: Mutex<Vec<Weak<Snapshot>>>,
}

impl LiveSnapshot {
    /// A holder with this first Snapshot.
    #[must_use]
    pub fn new(first: Snapshot) -> Arc<Self> {
        let first = Arc::new(first);
        let published_snapshots = Mutex::new(vec![Arc::downgrade(&first)]);
        Arc::new(Self { current: ArcSwap::new(first), changed: Notify::new(), published_snapshots })
    }

    /// The current Snapshot. It stays in memory as long as the returned reference is kept.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Makes `next` the current Snapshot; the previous one stays in memory while requests use it.
    pub fn publish(&self, next: Snapshot) -> Arc<Snapshot> {
        let next = Arc::new(next);
        // Removes entries of Snapshots that are no longer in memory.
        self.count_in_memory();
        self.published_snapshots.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&next));
        self.current.store(next.clone());
        self.changed.notify_waiters();
        next
    }

    /// Number of Snapshots in memory: the current one, and those that requests in progress still use.
    pub fn count_in_memory(&self) -> usize {
        let mut snapshots = self.published_snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        snapshots.retain(|snapshot| snapshot.strong_count() > 0);
        snapshots.len()
    }

    /// Waits for the next Snapshot after this call, also if the future is polled only later.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }
}
