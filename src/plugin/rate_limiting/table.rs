//! Hash table of counters: buckets of slots, each with the key of a client and its windows. A key has two buckets and goes
//! into the one with more free slots, so that nearly all slots are used before a bucket is full.
//!
//! A new key takes a slot whose windows have ended; else the table grows, within its memory budget; else the key replaces
//! the client that has used the least of its limits, and among equals the least recent one. A client that has reached a
//! limit keeps its slot until the window ends, so that other clients cannot reset its count. Keys are hashes with a secret
//! of the process, so that clients cannot choose their buckets.

use std::ops::Range;

use super::{
    local_counters::{LimitUsage, TABLES},
    period::{LimitPeriod, PERIODS},
};
use crate::budget::{MemoryBudget, Reservation};

/// Slots of a bucket.
const BUCKET_SLOTS: usize = 8;

/// Slots of a table that do not count in the budget; every table may have these.
const UNBUDGETED_SLOTS: usize = 32;

/// The interval at which a table is checked for shrinking, in seconds.
const SHRINK_INTERVAL: u64 = 60;

/// Counters of clients.
#[derive(Debug)]
pub(super) struct CounterTable {
    /// The key of each slot; 0 if it is empty.
    keys: Box<[u128]>,
    /// The value of `now` when each slot was last counted.
    last_used: Box<[u32]>,
    /// The windows of all slots; those of a slot are adjacent.
    windows: Box<[CounterWindow]>,
    /// Windows of a slot.
    width: usize,
    /// Counted requests, modulo 2^32.
    now: u32,
    /// The Unix time of the next check for shrinking.
    shrink_at: u64,
    _reserved: Option<Reservation>,
}

#[derive(Clone, Copy, Debug, Default)]
struct CounterWindow {
    start: u64,
    count: u64,
}

/// One limit with its open window.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenWindow {
    period: LimitPeriod,
    limit: u64,
    start: u64,
}

/// The limits of a plugin with the windows that are open at one time.
#[derive(Debug)]
pub(super) struct OpenWindows {
    all: [Option<OpenWindow>; PERIODS.len()],
    now: u64,
}

impl OpenWindows {
    pub(super) fn at(limits: &[(LimitPeriod, u64)], now: u64) -> Self {
        let mut all = [None; PERIODS.len()];
        for (slot, &(period, limit)) in all.iter_mut().zip(limits) {
            *slot = Some(OpenWindow { period, limit, start: period.start(now) });
        }
        Self { all, now }
    }

    fn iter(&self) -> impl Iterator<Item = &OpenWindow> {
        self.all.iter().map_while(Option::as_ref)
    }
}

impl CounterTable {
    /// An empty table with this number of windows per client.
    pub(super) fn new(width: usize) -> Self {
        Self { width, ..Self::with_slots(0, 0) }
    }

    fn with_slots(slots: usize, width: usize) -> Self {
        Self {
            keys: vec![0; slots].into(),
            last_used: vec![0; slots].into(),
            windows: vec![CounterWindow::default(); slots * width].into(),
            width,
            now: 0,
            shrink_at: 0,
            _reserved: None,
        }
    }

    /// Counts a request of a client unless a limit is reached; `None` if there is no slot for the client.
    pub(super) fn count(
        &mut self,
        key: u128,
        limits: &OpenWindows,
        memory: &MemoryBudget,
    ) -> Option<LimitUsage> {
        let key = key.max(1);
        if limits.now >= self.shrink_at {
            self.shrink(limits, memory);
            self.shrink_at = limits.now + SHRINK_INTERVAL;
        }
        let slot = match self.slots_of(key).find(|slot| self.keys[*slot] == key) {
            Some(slot) => slot,
            None => self.allocate_slot(key, limits, memory)?,
        };
        self.now = self.now.wrapping_add(1);
        self.last_used[slot] = self.now;
        Some(count(&mut self.windows[slot * self.width..][..self.width], limits))
    }

    /// A slot with cleared windows for a new client.
    fn allocate_slot(&mut self, key: u128, limits: &OpenWindows, memory: &MemoryBudget) -> Option<usize> {
        let slot = loop {
            if let Some(free) = self.find_free_slot(key, limits) {
                break free;
            }
            if !self.grow(limits, memory) {
                break self.least_used(key, limits)?;
            }
        };
        self.keys[slot] = key;
        self.windows_mut(slot).fill(CounterWindow::default());
        Some(slot)
    }

    /// A slot in the buckets of a key without open windows.
    fn find_free_slot(&self, key: u128, limits: &OpenWindows) -> Option<usize> {
        let used_slots =
            |bucket: &Range<usize>| bucket.clone().filter(|slot| self.is_in_use(*slot, limits)).count();
        let mut bucket = self.buckets(key).into_iter().min_by_key(used_slots)?;
        bucket.find(|slot| !self.is_in_use(*slot, limits))
    }

    /// The slot in the buckets of a key whose client has used the least; `None` if all have reached a limit.
    fn least_used(&self, key: u128, limits: &OpenWindows) -> Option<usize> {
        let used = |slot: usize| {
            let most =
                limits.iter().zip(self.windows(slot)).filter(|(open, window)| open.start == window.start);
            most.map(|(open, window)| thousandths(window.count, open.limit)).max().unwrap_or(0)
        };
        let all = self.slots_of(key).map(|slot| (used(slot), slot)).filter(|(used, _)| *used < 1000);
        // The counter of requests may have wrapped around.
        all.min_by_key(|(used, slot)| (*used, u32::MAX - self.now.wrapping_sub(self.last_used[*slot])))
            .map(|(_, slot)| slot)
    }

    /// Doubles the number of slots, if the budget allows.
    fn grow(&mut self, limits: &OpenWindows, memory: &MemoryBudget) -> bool {
        self.resize((self.keys.len() * 2).max(UNBUDGETED_SLOTS), limits, memory)
    }

    /// Reduces the number of slots, if few have open windows.
    fn shrink(&mut self, limits: &OpenWindows, memory: &MemoryBudget) {
        if self.keys.len() <= UNBUDGETED_SLOTS {
            return;
        }
        let needed = (0..self.keys.len()).filter(|slot| self.is_in_use(*slot, limits)).count();
        let enough = (needed * 4).next_power_of_two().max(UNBUDGETED_SLOTS);
        if enough <= self.keys.len() / 2 {
            self.resize(enough, limits, memory);
        }
    }

    /// Moves clients with open windows into a new table. Returns false without a change if memory or buckets do not suffice.
    fn resize(&mut self, slots: usize, limits: &OpenWindows, memory: &MemoryBudget) -> bool {
        let counted = if slots <= UNBUDGETED_SLOTS { 0 } else { slots * self.slot_size() };
        let Ok(reserved) = memory.reserve(counted) else { return false };
        let mut new = Self::with_slots(slots, self.width);
        for slot in (0..self.keys.len()).filter(|slot| self.is_in_use(*slot, limits)) {
            let key = self.keys[slot];
            let Some(free) = new.find_free_slot(key, limits) else { return false };
            new.keys[free] = key;
            new.last_used[free] = self.last_used[slot];
            new.windows_mut(free).copy_from_slice(self.windows(slot));
        }
        *self = Self { now: self.now, shrink_at: self.shrink_at, _reserved: Some(reserved), ..new };
        true
    }

    /// The slots of the buckets of a key.
    fn slots_of(&self, key: u128) -> impl Iterator<Item = usize> + use<> {
        self.buckets(key).into_iter().flatten()
    }

    #[expect(clippy::cast_possible_truncation, reason = "any bits of the key will do")]
    fn buckets(&self, key: u128) -> [Range<usize>; 2] {
        let buckets = self.keys.len() / BUCKET_SLOTS;
        let at = |hash: usize| {
            let bucket = hash & buckets.saturating_sub(1);
            bucket * BUCKET_SLOTS..((bucket + 1) * BUCKET_SLOTS).min(self.keys.len())
        };
        [at(key as usize), at((key >> 64) as usize / TABLES)]
    }

    fn windows(&self, slot: usize) -> &[CounterWindow] {
        &self.windows[slot * self.width..][..self.width]
    }

    fn windows_mut(&mut self, slot: usize) -> &mut [CounterWindow] {
        &mut self.windows[slot * self.width..][..self.width]
    }

    /// Whether a slot has a client with an open window.
    fn is_in_use(&self, slot: usize, limits: &OpenWindows) -> bool {
        let windows = self.windows(slot);
        self.keys[slot] != 0 && limits.iter().zip(windows).any(|(open, window)| open.start == window.start)
    }

    /// The size of a slot in bytes.
    const fn slot_size(&self) -> usize {
        size_of::<u128>() + size_of::<u32>() + self.width * size_of::<CounterWindow>()
    }

    /// The size of the table in bytes.
    #[cfg(test)]
    pub(super) const fn size(&self) -> usize {
        self.keys.len() * self.slot_size()
    }

    /// The number of clients with an open window.
    #[cfg(test)]
    pub(super) fn clients(&self, limits: &OpenWindows) -> usize {
        (0..self.keys.len()).filter(|slot| self.is_in_use(*slot, limits)).count()
    }
}

/// Counts a request in all windows, unless one has reached its limit.
fn count(windows: &mut [CounterWindow], limits: &OpenWindows) -> LimitUsage {
    let mut allowed = true;
    for (open, window) in limits.iter().zip(windows.iter_mut()) {
        if window.start != open.start {
            *window = CounterWindow { start: open.start, count: 0 };
        }
        allowed &= window.count < open.limit;
    }
    let mut counts = [0; PERIODS.len()];
    for (open, window) in limits.iter().zip(windows) {
        window.count += u64::from(allowed);
        counts[open.period as usize] = window.count;
    }
    LimitUsage { allowed, counts }
}

/// The used share of a limit in thousandths; 1000 if it is reached.
fn thousandths(count: u64, limit: u64) -> u64 {
    if count >= limit {
        1000
    } else {
        u64::try_from(u128::from(count) * 1000 / u128::from(limit)).unwrap_or(999)
    }
}
