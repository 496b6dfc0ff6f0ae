//! How many requests are being answered, so that one too many is told at once to come back later.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// How often it is told that requests are refused.
const TELLING: Duration = Duration::from_secs(10);

/// The requests that are being answered.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    most: usize,
    current: AtomicUsize,
    refused: AtomicUsize,
    told: Mutex<Option<Instant>>,
}

/// The share that one of them has, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<ConcurrencyLimit>);

impl ConcurrencyLimit {
    /// None yet, and `most` at a time.
    pub(super) fn new(most: NonZeroUsize) -> Self {
        let none = AtomicUsize::new(0);
        Self { most: most.get(), current: none, refused: AtomicUsize::new(0), told: Mutex::default() }
    }

    /// Lets one more in; none if there are as many as there may be.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Permit> {
        // Even for the one that goes again at once.
        let share = Permit(Arc::clone(self));
        if self.current.fetch_add(1, Relaxed) < self.most {
            return Some(share);
        }
        drop(share);
        self.refused.fetch_add(1, Relaxed);
        self.tell();
        None
    }

    fn tell(&self) {
        // It holds no invariant that a panic could break.
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| told.elapsed() < TELLING) {
            return;
        }
        *told = Some(Instant::now());
        let (most, refused) = (self.most, self.refused.swap(0, Relaxed));
        tracing::warn!(
            "requests refused with 503: {refused}; {most} are being answered, which is the most (max_concurrent_requests)"
        );
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.current.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_ends_makes_room_for_another() {
        let load = Arc::new(ConcurrencyLimit::new(NonZeroUsize::new(2).unwrap()));
        let first = load.enter();
        let second = load.enter();
        assert!(first.is_some() && second.is_some());
        assert!(load.enter().is_none());
        assert!(load.enter().is_none());
        drop(first);
        let third = load.enter();
        assert!(third.is_some());
        assert!(load.enter().is_none());
    }
}
