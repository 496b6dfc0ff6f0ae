//! The effort that one attempt at a sample may take: counted steps, and the stack.

use std::cell::Cell;

use crate::budget::{Budget, Stack};

/// How many steps are charged to the budget at once.
const CHARGED: u64 = 256;

/// The steps that are left for one attempt, which are charged to the budget of the whole answer as well.
pub(super) struct Effort<'a> {
    whole: u64,
    left: Cell<u64>,
    /// Steps that the budget was charged for already.
    paid: Cell<u64>,
    budget: Option<&'a Budget>,
    stack: Stack,
}

impl<'a> Effort<'a> {
    pub(super) const fn new(steps: u64, budget: Option<&'a Budget>, stack: Stack) -> Self {
        Self { whole: steps, left: Cell::new(steps), paid: Cell::new(0), budget, stack }
    }

    /// Charges steps; false if there are none left.
    pub(super) fn spend(&self, steps: u64) -> bool {
        let left = self.left.get().saturating_sub(steps);
        self.left.set(left);
        left > 0 && self.pay(steps)
    }

    /// Charges a step for each of so many small things.
    pub(super) fn spend_each(&self, count: usize, per_step: u64) -> bool {
        self.spend(count as u64 / per_step)
    }

    fn pay(&self, steps: u64) -> bool {
        let Some(budget) = self.budget else { return true };
        if let Some(paid) = self.paid.get().checked_sub(steps) {
            self.paid.set(paid);
            return true;
        }
        let charged = steps.max(CHARGED);
        if budget.spend(charged).is_err() {
            self.left.set(0);
            return false;
        }
        self.paid.set(self.paid.get() + charged - steps);
        true
    }

    /// Whether no step is left.
    pub(super) const fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Whether more than half is spent, so that what is still to come should be small.
    pub(super) const fn is_short(&self) -> bool {
        self.left.get() < self.whole / 2
    }

    /// Steps taken so far.
    pub(super) const fn taken(&self) -> u64 {
        self.whole - self.left.get()
    }

    /// Whether the stack has room for another level.
    pub(super) fn has_stack(&self) -> bool {
        self.stack.has_room()
    }
}
