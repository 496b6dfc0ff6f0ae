//! Table of counters: buckets of a few places, each with the key of a client and its windows. A key has two buckets, and
//! is put into the one that has more room, so that nearly all places are used before a bucket is full.
//!
//! A new key takes a place whose windows are over; else the table grows, as long as its budget of memory lasts; else the
//! key takes the place of the client that has used least of its limits, and of these the one that came longest ago. A
//! client that has reached a limit keeps its place until the window ends, so that no number of other clients makes its
//! count begin again. Keys are hashes with a secret of the process: clients cannot choose their buckets.

use std::ops::Range;

use super::{
    local_counters::{LimitUsage, TABLES},
    period::{LimitPeriod, PERIODS},
};
use crate::budget::{MemoryBudget, Reservation};

/// Places in a bucket.
const WAYS: usize = 8;

/// Places of a table that do not count in the budget: each plugin has these.
const FREE: usize = 32;

/// How often is looked for places that are no longer needed, in seconds.
const SWEEP: u64 = 60;

/// Counters of clients.
#[derive(Debug)]
pub(super) struct Table {
    /// A client each; 0 for none.
    keys: Box<[u128]>,
    /// When each was last counted, in counted requests.
    used: Box<[u32]>,
    /// Those of each client are beside one another.
    windows: Box<[CounterWindow]>,
    /// How many windows a client has.
    width: usize,
    now: u32,
    sweep_at: u64,
    _reserved: Option<Reservation>,
}

#[derive(Clone, Copy, Debug, Default)]
struct CounterWindow {
    start: u64,
    count: u64,
}

/// One limit, and the window that is open now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    period: LimitPeriod,
    limit: u64,
    start: u64,
}

/// The limits of a plugin, and the windows that are open at a moment.
#[derive(Debug)]
pub(super) struct Limits {
    all: [Option<Open>; PERIODS.len()],
    now: u64,
}

impl Limits {
    pub(super) fn at(limits: &[(LimitPeriod, u64)], now: u64) -> Self {
        let mut all = [None; PERIODS.len()];
        for (place, &(period, limit)) in all.iter_mut().zip(limits) {
            *place = Some(Open { period, limit, start: period.start(now) });
        }
        Self { all, now }
    }

    fn iter(&self) -> impl Iterator<Item = &Open> {
        self.all.iter().map_while(Option::as_ref)
    }
}

impl Table {
    /// An empty table for clients that have so many windows.
    pub(super) fn new(width: usize) -> Self {
        Self { width, ..Self::of_size(0, 0) }
    }

    fn of_size(places: usize, width: usize) -> Self {
        Self {
            keys: vec![0; places].into(),
            used: vec![0; places].into(),
            windows: vec![CounterWindow::default(); places * width].into(),
            width,
            now: 0,
            sweep_at: 0,
            _reserved: None,
        }
    }

    /// Counts a request of a client unless a limit is reached; none if there is no room for the client.
    pub(super) fn count(&mut self, key: u128, limits: &Limits, memory: &MemoryBudget) -> Option<LimitUsage> {
        let key = key.max(1);
        if limits.now >= self.sweep_at {
            self.shrink(limits, memory);
            self.sweep_at = limits.now + SWEEP;
        }
        let place = match self.places(key).find(|place| self.keys[*place] == key) {
            Some(place) => place,
            None => self.place_for(key, limits, memory)?,
        };
        self.now = self.now.wrapping_add(1);
        self.used[place] = self.now;
        Some(count(&mut self.windows[place * self.width..][..self.width], limits))
    }

    /// A place for a client that has none, with windows that are over.
    fn place_for(&mut self, key: u128, limits: &Limits, memory: &MemoryBudget) -> Option<usize> {
        let place = loop {
            if let Some(free) = self.free(key, limits) {
                break free;
            }
            if !self.grow(limits, memory) {
                break self.least_used(key, limits)?;
            }
        };
        self.keys[place] = key;
        self.windows_mut(place).fill(CounterWindow::default());
        Some(place)
    }

    /// A place in a bucket of a key that no client needs.
    fn free(&self, key: u128, limits: &Limits) -> Option<usize> {
        let needed =
            |bucket: &Range<usize>| bucket.clone().filter(|place| self.is_needed(*place, limits)).count();
        let mut bucket = self.buckets(key).into_iter().min_by_key(needed)?;
        bucket.find(|place| !self.is_needed(*place, limits))
    }

    /// The place of the client in the buckets of a key that has used least, unless all have reached a limit.
    fn least_used(&self, key: u128, limits: &Limits) -> Option<usize> {
        let used = |place: usize| {
            let most =
                limits.iter().zip(self.windows(place)).filter(|(open, window)| open.start == window.start);
            most.map(|(open, window)| thousandths(window.count, open.limit)).max().unwrap_or(0)
        };
        let all = self.places(key).map(|place| (used(place), place)).filter(|(used, _)| *used < 1000);
        // The number of requests may begin again at 0.
        all.min_by_key(|(used, place)| (*used, u32::MAX - self.now.wrapping_sub(self.used[*place])))
            .map(|(_, place)| place)
    }

    /// Makes twice as many places, if the budget has room.
    fn grow(&mut self, limits: &Limits, memory: &MemoryBudget) -> bool {
        self.resize((self.keys.len() * 2).max(FREE), limits, memory)
    }

    /// Gives up places, if few are needed.
    fn shrink(&mut self, limits: &Limits, memory: &MemoryBudget) {
        if self.keys.len() <= FREE {
            return;
        }
        let needed = (0..self.keys.len()).filter(|place| self.is_needed(*place, limits)).count();
        let enough = (needed * 4).next_power_of_two().max(FREE);
        if enough <= self.keys.len() / 2 {
            self.resize(enough, limits, memory);
        }
    }

    /// Moves the clients that need their place; false if there is no room, and then nothing has changed.
    fn resize(&mut self, places: usize, limits: &Limits, memory: &MemoryBudget) -> bool {
        let counted = if places <= FREE { 0 } else { places * self.place_size() };
        let Ok(reserved) = memory.reserve(counted) else { return false };
        let mut new = Self::of_size(places, self.width);
        for place in (0..self.keys.len()).filter(|place| self.is_needed(*place, limits)) {
            let key = self.keys[place];
            let Some(free) = new.free(key, limits) else { return false };
            new.keys[free] = key;
            new.used[free] = self.used[place];
            new.windows_mut(free).copy_from_slice(self.windows(place));
        }
        *self = Self { now: self.now, sweep_at: self.sweep_at, _reserved: Some(reserved), ..new };
        true
    }

    /// The places where a key may be.
    fn places(&self, key: u128) -> impl Iterator<Item = usize> + use<> {
        self.buckets(key).into_iter().flatten()
    }

    #[expect(clippy::cast_possible_truncation, reason = "any bits of the key will do")]
    fn buckets(&self, key: u128) -> [Range<usize>; 2] {
        let buckets = self.keys.len() / WAYS;
        let at = |hash: usize| {
            let bucket = hash & buckets.saturating_sub(1);
            bucket * WAYS..((bucket + 1) * WAYS).min(self.keys.len())
        };
        [at(key as usize), at((key >> 64) as usize / TABLES)]
    }

    fn windows(&self, place: usize) -> &[CounterWindow] {
        &self.windows[place * self.width..][..self.width]
    }

    fn windows_mut(&mut self, place: usize) -> &mut [CounterWindow] {
        &mut self.windows[place * self.width..][..self.width]
    }

    /// Whether a client is here, and one of its windows is open.
    fn is_needed(&self, place: usize, limits: &Limits) -> bool {
        let windows = self.windows(place);
        self.keys[place] != 0 && limits.iter().zip(windows).any(|(open, window)| open.start == window.start)
    }

    /// What a place takes, in bytes.
    const fn place_size(&self) -> usize {
        size_of::<u128>() + size_of::<u32>() + self.width * size_of::<CounterWindow>()
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) const fn size(&self) -> usize {
        self.keys.len() * self.place_size()
    }

    /// How many clients have an open window.
    #[cfg(test)]
    pub(super) fn clients(&self, limits: &Limits) -> usize {
        (0..self.keys.len()).filter(|place| self.is_needed(*place, limits)).count()
    }
}

/// Counts a request in all windows unless one is full.
fn count(windows: &mut [CounterWindow], limits: &Limits) -> LimitUsage {
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

/// How much of a limit is used; 1000 if it is reached.
fn thousandths(count: u64, limit: u64) -> u64 {
    if count >= limit {
        1000
    } else {
        u64::try_from(u128::from(count) * 1000 / u128::from(limit)).unwrap_or(999)
    }
}
