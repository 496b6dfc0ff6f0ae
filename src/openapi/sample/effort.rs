//! Limits of one attempt at a sample: counted steps, and the stack.

use std::cell::Cell;

use crate::budget::{Budget, Stack};

/// Steps that are charged to the budget at once.
const PREPAID_STEPS: u64 = 256;

/// The steps that remain for one attempt; they are charged to the budget of the request as well.
pub(super) struct Effort<'a> {
    total: u64,
    left: Cell<u64>,
    /// Steps that the budget has been charged for in advance.
    prepaid: Cell<u64>,
    budget: Option<&'a Budget>,
    stack: Stack,
}

impl<'a> Effort<'a> {
    pub(super) const fn new(steps: u64, budget: Option<&'a Budget>, stack: Stack) -> Self {
        Self { total: steps, left: Cell::new(steps), prepaid: Cell::new(0), budget, stack }
    }

    /// Charges steps; false if none remain.
    pub(super) fn spend(&self, steps: u64) -> bool {
        let left = self.left.get().saturating_sub(steps);
        self.left.set(left);
        left > 0 && self.charge_budget(steps)
    }

    /// Charges a step for each `per_step` of `count` elements; false if none remain.
    pub(super) fn spend_each(&self, count: usize, per_step: u64) -> bool {
        self.spend(count as u64 / per_step)
    }

    fn charge_budget(&self, steps: u64) -> bool {
        let Some(budget) = self.budget else { return true };
        if let Some(prepaid) = self.prepaid.get().checked_sub(steps) {
            self.prepaid.set(prepaid);
            return true;
        }
        let charged = steps.max(PREPAID_STEPS);
        if budget.spend(charged).is_err() {
            self.left.set(0);
            return false;
        }
        self.prepaid.set(self.prepaid.get() + charged - steps);
        true
    }

    /// Whether no steps remain.
    pub(super) const fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Whether more than half of the steps are spent, so that the rest of the sample should be small.
    pub(super) const fn is_half_spent(&self) -> bool {
        self.left.get() < self.total / 2
    }

    /// The number of steps so far.
    pub(super) const fn steps_taken(&self) -> u64 {
        self.total - self.left.get()
    }

    /// Whether the stack has room for another call.
    pub(super) fn has_stack(&self) -> bool {
        self.stack.has_room()
    }
}
