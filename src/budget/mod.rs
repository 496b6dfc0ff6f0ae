//! Budgets for work whose size a client or a document determines: steps, bytes, depth, time, cancellation.
//!
//! Such work takes a [`Budget`] and charges it as it goes on; the first charge that does not fit ends the work, and so does
//! its cancellation. Work that may take over a millisecond runs in a [`WorkPool`], not on the threads that serve requests.

mod memory;
mod once;
mod pool;
mod stack;

pub use memory::{MemoryBudget, MemoryExhausted, Reservation};
pub use once::Once;
pub use pool::{Overloaded, WorkPool};
pub use stack::Stack;

use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Number of steps between two checks of the clock and of the cancellation.
const STEPS_PER_CHECK: u64 = 1024;

/// Limits of one piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimits {
    /// Elementary steps, for instance one schema applied to one value.
    pub steps: u64,
    /// Bytes of the result and of intermediate values.
    pub bytes: usize,
    /// Levels of nesting.
    pub depth: u32,
    /// Elapsed time.
    pub time: Duration,
}

/// Why a piece of work ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// Too many steps.
    Steps,
    /// Too much memory.
    Bytes,
    /// Too many levels of nesting.
    Depth,
    /// Too much time.
    Time,
    /// Its result is no longer wanted.
    Cancelled,
}

/// Rest of the limits of one piece of work. Once exhausted, it stays exhausted.
#[derive(Debug)]
pub struct Budget {
    steps: Cell<u64>,
    bytes: Cell<usize>,
    depth: Cell<u32>,
    deadline: Option<Instant>,
    cancellation: Option<Cancellation>,
    until_check: Cell<u64>,
    exhausted: Cell<Option<Exhausted>>,
}

/// A level of nesting of a [`Budget`]; dropping it leaves the level.
#[derive(Debug)]
pub struct DepthLevel<'a>(&'a Budget);

/// Cancellation of a piece of work on another thread.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Budget {
    /// A budget with these limits; its time begins now.
    #[must_use]
    pub fn new(limits: WorkLimits) -> Self {
        Self::with_cancellation(limits, None)
    }

    /// A budget that `cancellation` ends as well.
    #[must_use]
    pub fn cancelled_by(limits: WorkLimits, cancellation: Cancellation) -> Self {
        Self::with_cancellation(limits, Some(cancellation))
    }

    fn with_cancellation(limits: WorkLimits, cancellation: Option<Cancellation>) -> Self {
        Self {
            steps: Cell::new(limits.steps),
            bytes: Cell::new(limits.bytes),
            depth: Cell::new(limits.depth),
            deadline: Instant::now().checked_add(limits.time),
            cancellation,
            until_check: Cell::new(STEPS_PER_CHECK),
            exhausted: Cell::new(None),
        }
    }

    /// Charges steps; checks the clock after some of them.
    ///
    /// # Errors
    /// If steps or time have run out, if the work was cancelled, or if the budget was exhausted before.
    pub fn spend(&self, steps: u64) -> Result<(), Exhausted> {
        self.check_exhausted()?;
        let Some(left) = self.steps.get().checked_sub(steps) else { return self.exhaust(Exhausted::Steps) };
        self.steps.set(left);
        match self.until_check.get().checked_sub(steps) {
            Some(until_check) => self.until_check.set(until_check),
            None => {
                self.until_check.set(STEPS_PER_CHECK);
                self.check_time()?;
            }
        }
        Ok(())
    }

    /// Number of bytes that are left.
    pub const fn bytes_left(&self) -> usize {
        self.bytes.get()
    }

    /// Charges bytes.
    ///
    /// # Errors
    /// If bytes have run out, or if the budget was exhausted before.
    pub fn allocate(&self, bytes: usize) -> Result<(), Exhausted> {
        self.check_exhausted()?;
        let Some(left) = self.bytes.get().checked_sub(bytes) else { return self.exhaust(Exhausted::Bytes) };
        self.bytes.set(left);
        Ok(())
    }

    /// Enters a level of nesting, until it is dropped.
    ///
    /// # Errors
    /// If the nesting is too deep, or if the budget was exhausted before.
    pub fn descend(&self) -> Result<DepthLevel<'_>, Exhausted> {
        self.check_exhausted()?;
        let Some(left) = self.depth.get().checked_sub(1) else { return self.exhaust(Exhausted::Depth) };
        self.depth.set(left);
        Ok(DepthLevel(self))
    }

    /// Checks the clock and the cancellation now.
    ///
    /// # Errors
    /// If time has run out, if the work was cancelled, or if the budget was exhausted before.
    pub fn check_time(&self) -> Result<(), Exhausted> {
        self.check_exhausted()?;
        if self.cancellation.as_ref().is_some_and(Cancellation::is_cancelled) {
            return self.exhaust(Exhausted::Cancelled);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return self.exhaust(Exhausted::Time);
        }
        Ok(())
    }

    /// Why the work has to end, if the budget is exhausted.
    pub fn exhausted(&self) -> Option<Exhausted> {
        self.exhausted.get()
    }

    fn check_exhausted(&self) -> Result<(), Exhausted> {
        self.exhausted.get().map_or(Ok(()), Err)
    }

    fn exhaust<T>(&self, why: Exhausted) -> Result<T, Exhausted> {
        self.exhausted.set(Some(why));
        Err(why)
    }
}

impl Drop for DepthLevel<'_> {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() + 1);
    }
}

impl Cancellation {
    /// Ends the work at its next check.
    pub fn cancel(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether the work was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Relaxed)
    }
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Steps => "the budget of steps is exhausted",
            Self::Bytes => "the budget of memory is exhausted",
            Self::Depth => "nesting is too deep",
            Self::Time => "the budget of time is exhausted",
            Self::Cancelled => "cancelled",
        })
    }
}

impl std::error::Error for Exhausted {}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: WorkLimits = WorkLimits { steps: 10, bytes: 100, depth: 2, time: Duration::from_mins(10) };

    #[test]
    fn each_exhausted_limit_ends_the_work_for_good() {
        let budget = Budget::new(LIMITS);
        assert_eq!(budget.spend(10), Ok(()));
        assert_eq!(budget.spend(1), Err(Exhausted::Steps));
        assert_eq!(budget.allocate(1), Err(Exhausted::Steps));

        let budget = Budget::new(LIMITS);
        assert_eq!(budget.allocate(100), Ok(()));
        assert_eq!(budget.allocate(1), Err(Exhausted::Bytes));
        assert_eq!(budget.spend(1), Err(Exhausted::Bytes));

        let budget = Budget::new(LIMITS);
        for _ in 0..3 {
            let _first = budget.descend().unwrap();
            let _second = budget.descend().unwrap();
        }
        let _first = budget.descend().unwrap();
        let _second = budget.descend().unwrap();
        assert!(matches!(budget.descend(), Err(Exhausted::Depth)));
        assert_eq!(budget.exhausted(), Some(Exhausted::Depth));
    }

    #[test]
    fn time_and_cancellation_are_checked_after_a_bounded_number_of_steps() {
        let budget = Budget::new(WorkLimits { steps: u64::MAX, time: Duration::ZERO, ..LIMITS });
        assert!((0..=STEPS_PER_CHECK).any(|_| budget.spend(1) == Err(Exhausted::Time)));

        let cancellation = Cancellation::default();
        let budget = Budget::cancelled_by(WorkLimits { steps: u64::MAX, ..LIMITS }, cancellation.clone());
        assert_eq!(budget.spend(2 * STEPS_PER_CHECK), Ok(()));
        cancellation.cancel();
        assert!((0..=STEPS_PER_CHECK).any(|_| budget.spend(1) == Err(Exhausted::Cancelled)));
    }
}
