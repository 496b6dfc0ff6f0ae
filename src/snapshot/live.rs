//! The current Snapshot: one pointer, swapped whole.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, futures::Notified};

use super::Snapshot;

/// Holds the current Snapshot.
#[derive(Debug)]
pub struct Live {
    current: ArcSwap<Snapshot>,
    published: Notify,
}

impl Live {
    /// Begins with this Snapshot.
    #[must_use]
    pub fn new(first: Snapshot) -> Arc<Self> {
        Arc::new(Self { current: ArcSwap::from_pointee(first), published: Notify::new() })
    }

    /// The current Snapshot; whoever asks may keep it as long as it likes.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Makes `next` the current Snapshot; the one before lives on while requests use it.
    pub fn publish(&self, next: Snapshot) -> Arc<Snapshot> {
        let next = Arc::new(next);
        self.current.store(next.clone());
        self.published.notify_waiters();
        next
    }

    /// Ends with the next Snapshot after this call, even if it is waited for later.
    pub fn changed(&self) -> Notified<'_> {
        self.published.notified()
    }
}
