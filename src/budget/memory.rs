//! Budget of memory that requests share: bytes are reserved before they are allocated.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// Limit of the bytes that are held at a time. Clones share the budget.
#[derive(Clone, Debug)]
pub struct MemoryBudget(Arc<MemoryCounters>);

#[derive(Debug)]
struct MemoryCounters {
    limit: usize,
    held: AtomicUsize,
    refused: AtomicU64,
}

/// Reserved bytes; dropping it releases them.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: usize,
}

/// Error: the bytes do not fit in the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryExhausted;

impl MemoryBudget {
    /// A budget of `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(MemoryCounters { limit, held: AtomicUsize::new(0), refused: AtomicU64::new(0) }))
    }

    /// Largest number of bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Number of bytes that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(Relaxed)
    }

    /// Number of reservations that were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Relaxed)
    }

    /// An empty reservation, which may grow.
    #[must_use]
    pub fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Reserves bytes.
    ///
    /// # Errors
    /// If they do not fit in the budget.
    pub fn reserve(&self, bytes: usize) -> Result<Reservation, MemoryExhausted> {
        let mut reservation = self.reservation();
        reservation.grow(bytes)?;
        Ok(reservation)
    }
}

impl Reservation {
    /// Number of reserved bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Reserves further bytes.
    ///
    /// # Errors
    /// If they do not fit in the budget; the reservation does not change.
    pub fn grow(&mut self, bytes: usize) -> Result<(), MemoryExhausted> {
        let MemoryCounters { limit, held, refused } = &*self.budget.0;
        let add = |held: usize| held.checked_add(bytes).filter(|sum| sum <= limit);
        if held.fetch_update(Relaxed, Relaxed, add).is_err() {
            refused.fetch_add(1, Relaxed);
            return Err(MemoryExhausted);
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Moves some of the bytes to a reservation of their own.
    #[must_use]
    pub fn split(&mut self, bytes: usize) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { budget: self.budget.clone(), bytes }
    }

    /// Releases bytes that are no longer held.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.0.held.fetch_sub(bytes, Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

impl fmt::Display for MemoryExhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the shared budget of memory is exhausted")
    }
}

impl std::error::Error for MemoryExhausted {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_share_one_limit() {
        let budget = MemoryBudget::new(100);
        let mut first = budget.reserve(60).unwrap();
        let mut second = budget.reserve(40).unwrap();
        assert_eq!((first.grow(1), budget.held(), budget.refused()), (Err(MemoryExhausted), 100, 1));
        assert!(budget.reserve(usize::MAX).is_err());
        second.shrink(30);
        assert_eq!(first.grow(25), Ok(()));
        assert_eq!((first.bytes(), second.bytes(), budget.held()), (85, 10, 95));
        second.shrink(1000);
        let part = first.split(80);
        assert_eq!((first.bytes(), part.bytes(), budget.held()), (5, 80, 85));
        drop(first);
        assert_eq!(budget.held(), 80);
        drop(part);
        assert_eq!(budget.held(), 0);
    }

    #[test]
    fn reservations_of_several_threads_are_counted() {
        let budget = MemoryBudget::new(3);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let held = budget.reserve(1);
                        assert!(budget.held() <= 3);
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(budget.held(), 0);
    }
}
