//! Budgets of work that a client or a document can make large: steps, bytes, depth, time, cancellation.
//!
//! Every such piece of work takes a [`Budget`] and charges it while it goes on; the first charge that does not fit ends
//! the work, and so does its cancellation. Work that may take over a millisecond runs in a [`WorkPool`], not on the
//! threads that serve requests.

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

/// How many steps go by between two looks at the clock and at the cancellation.
const STEPS_PER_LOOK: u64 = 1024;

/// The bounds of one piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkLimits {
    /// Elementary steps, for instance one schema applied to one value.
    pub steps: u64,
    /// Bytes that the result and what is kept on the way to it take.
    pub bytes: usize,
    /// Levels of nesting.
    pub depth: u32,
    /// Time on the clock.
    pub time: Duration,
}

/// Why a piece of work ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhausted {
    /// It took too many steps.
    Steps,
    /// It took too much memory.
    Bytes,
    /// It nested too deeply.
    Depth,
    /// It took too long.
    Time,
    /// Its result is no longer wanted.
    Cancelled,
}

/// What is left of the bounds of one piece of work. Once it is exhausted, it stays so.
#[derive(Debug)]
pub struct Budget {
    steps: Cell<u64>,
    bytes: Cell<usize>,
    depth: Cell<u32>,
    deadline: Option<Instant>,
    cancellation: Option<Cancellation>,
    until_look: Cell<u64>,
    exhausted: Cell<Option<Exhausted>>,
}

/// A level of nesting of a [`Budget`]; dropping it goes up again.
#[derive(Debug)]
pub struct DepthLevel<'a>(&'a Budget);

/// Tells a piece of work on another thread that its result is no longer wanted.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Budget {
    /// A budget of these bounds; its time begins now.
    #[must_use]
    pub fn new(limits: WorkLimits) -> Self {
        Self::of(limits, None)
    }

    /// The same, which `cancellation` ends as well.
    #[must_use]
    pub fn cancelled_by(limits: WorkLimits, cancellation: Cancellation) -> Self {
        Self::of(limits, Some(cancellation))
    }

    fn of(limits: WorkLimits, cancellation: Option<Cancellation>) -> Self {
        Self {
            steps: Cell::new(limits.steps),
            bytes: Cell::new(limits.bytes),
            depth: Cell::new(limits.depth),
            deadline: Instant::now().checked_add(limits.time),
            cancellation,
            until_look: Cell::new(STEPS_PER_LOOK),
            exhausted: Cell::new(None),
        }
    }

    /// Charges steps, and looks at the clock from time to time.
    ///
    /// # Errors
    /// If steps or time have run out, if the work was cancelled, or if the budget was exhausted before.
    pub fn spend(&self, steps: u64) -> Result<(), Exhausted> {
        self.check()?;
        let Some(left) = self.steps.get().checked_sub(steps) else { return self.end(Exhausted::Steps) };
        self.steps.set(left);
        match self.until_look.get().checked_sub(steps) {
            Some(until_look) => self.until_look.set(until_look),
            None => {
                self.until_look.set(STEPS_PER_LOOK);
                self.look()?;
            }
        }
        Ok(())
    }

    /// The bytes that are left.
    pub const fn bytes_left(&self) -> usize {
        self.bytes.get()
    }

    /// Charges bytes.
    ///
    /// # Errors
    /// If bytes have run out, or if the budget was exhausted before.
    pub fn allocate(&self, bytes: usize) -> Result<(), Exhausted> {
        self.check()?;
        let Some(left) = self.bytes.get().checked_sub(bytes) else { return self.end(Exhausted::Bytes) };
        self.bytes.set(left);
        Ok(())
    }

    /// Goes one level down, until the level is dropped.
    ///
    /// # Errors
    /// If that is deeper than the bound, or if the budget was exhausted before.
    pub fn descend(&self) -> Result<DepthLevel<'_>, Exhausted> {
        self.check()?;
        let Some(left) = self.depth.get().checked_sub(1) else { return self.end(Exhausted::Depth) };
        self.depth.set(left);
        Ok(DepthLevel(self))
    }

    /// Looks at the clock and at the cancellation now.
    ///
    /// # Errors
    /// If time has run out, if the work was cancelled, or if the budget was exhausted before.
    pub fn look(&self) -> Result<(), Exhausted> {
        self.check()?;
        if self.cancellation.as_ref().is_some_and(Cancellation::is_cancelled) {
            return self.end(Exhausted::Cancelled);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return self.end(Exhausted::Time);
        }
        Ok(())
    }

    /// Why the work has to end, if it has.
    pub fn exhausted(&self) -> Option<Exhausted> {
        self.exhausted.get()
    }

    fn check(&self) -> Result<(), Exhausted> {
        self.exhausted.get().map_or(Ok(()), Err)
    }

    fn end<T>(&self, why: Exhausted) -> Result<T, Exhausted> {
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
    /// Ends the work at its next look.
    pub fn cancel(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether the work is to end.
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
    fn each_bound_ends_the_work_for_good() {
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
    fn time_and_cancellation_are_seen_after_a_bounded_number_of_steps() {
        let budget = Budget::new(WorkLimits { steps: u64::MAX, time: Duration::ZERO, ..LIMITS });
        assert!((0..=STEPS_PER_LOOK).any(|_| budget.spend(1) == Err(Exhausted::Time)));

        let cancellation = Cancellation::default();
        let budget = Budget::cancelled_by(WorkLimits { steps: u64::MAX, ..LIMITS }, cancellation.clone());
        assert_eq!(budget.spend(2 * STEPS_PER_LOOK), Ok(()));
        cancellation.cancel();
        assert!((0..=STEPS_PER_LOOK).any(|_| budget.spend(1) == Err(Exhausted::Cancelled)));
    }
}
