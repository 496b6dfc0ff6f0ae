//! The current Snapshot: one pointer, swapped whole.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Snapshot;

/// Holds the current Snapshot.
#[derive(Debug)]
pub struct Live(ArcSwap<Snapshot>);

impl Live {
    /// Begins with this Snapshot.
    #[must_use]
    pub fn new(first: Snapshot) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(first)))
    }

    /// The current Snapshot; whoever asks may keep it as long as it likes.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// Makes `next` the current Snapshot; the one before lives on while requests use it.
    pub fn publish(&self, next: Snapshot) -> Arc<Snapshot> {
        let next = Arc::new(next);
        self.0.store(next.clone());
        next
    }
}
