//! The current Snapshot: one pointer, swapped whole.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use tokio::sync::{Notify, futures::Notified};

use super::Snapshot;

/// Holds the current Snapshot.
#[derive(Debug)]
pub struct LiveSnapshot {
    current: ArcSwap<Snapshot>,
    published: Notify,
    /// All that were current and may still be in memory.
    made: Mutex<Vec<Weak<Snapshot>>>,
}

impl LiveSnapshot {
    /// Begins with this Snapshot.
    #[must_use]
    pub fn new(first: Snapshot) -> Arc<Self> {
        let first = Arc::new(first);
        let made = Mutex::new(vec![Arc::downgrade(&first)]);
        Arc::new(Self { current: ArcSwap::new(first), published: Notify::new(), made })
    }

    /// The current Snapshot; whoever asks may keep it as long as it likes.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Makes `next` the current Snapshot; the one before lives on while requests use it.
    pub fn publish(&self, next: Snapshot) -> Arc<Snapshot> {
        let next = Arc::new(next);
        // Those that are gone are not counted for ever.
        self.count_in_memory();
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&next));
        self.current.store(next.clone());
        self.published.notify_waiters();
        next
    }

    /// How many Snapshots are in memory: the current one, and those that requests on their way still use.
    pub fn count_in_memory(&self) -> usize {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|it| it.strong_count() > 0);
        made.len()
    }

    /// Ends with the next Snapshot after this call, even if it is waited for later.
    pub fn changed(&self) -> Notified<'_> {
        self.published.notified()
    }
}
