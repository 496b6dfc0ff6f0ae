//! COUNTERS: how often each client came in each window, on this node.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use super::period::{PERIODS, Period};

/// Whom a counter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identifier<'a> {
    /// An address.
    Address(IpAddr),
    /// The value of a header, a path or an id.
    Text(&'a str),
}

/// What was used of one limit, the request that asked included if it was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage {
    /// Whether the request was let in.
    pub(super) allowed: bool,
    /// Requests in the window of each period.
    pub(super) counts: [u64; PERIODS.len()],
}

/// Counters of clients in fixed windows. Several threads may count at once.
pub(super) struct Counters {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

const SHARDS: usize = 16;

/// So many clients may be known to one shard; further ones are let in uncounted until windows end.
const ROOM: usize = 1 << 16;

#[derive(Default)]
struct Shard {
    addresses: HashMap<IpAddr, Windows>,
    texts: HashMap<Box<str>, Windows>,
    /// Sweep when there are so many clients again.
    sweep_at: usize,
    /// When the last sweep was.
    swept: u64,
}

#[derive(Clone, Copy, Default)]
struct Windows {
    windows: [Window; PERIODS.len()],
}

#[derive(Clone, Copy, Default)]
struct Window {
    start: u64,
    count: u64,
}

impl Counters {
    /// No counters yet.
    pub(super) fn new() -> Self {
        Self { hasher: RandomState::new(), shards: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Counts a request at `now` (Unix time in seconds) unless a limit is reached; a refused one counts nowhere.
    pub(super) fn count(&self, identifier: Identifier<'_>, limits: &[(Period, u64)], now: u64) -> Usage {
        #[expect(clippy::cast_possible_truncation, reason = "any bits of the hash will do")]
        let shard = self.hasher.hash_one(identifier) as usize % SHARDS;
        // A thread that panicked between two additions has spoilt one count at most.
        let mut shard = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        shard.count(identifier, limits, now)
    }
}

impl Shard {
    fn count(&mut self, identifier: Identifier<'_>, limits: &[(Period, u64)], now: u64) -> Usage {
        let known = match identifier {
            Identifier::Address(address) => self.addresses.get_mut(&address),
            Identifier::Text(text) => self.texts.get_mut(text),
        };
        if let Some(windows) = known {
            return windows.count(limits, now);
        }
        let mut windows = Windows::default();
        let usage = windows.count(limits, now);
        if self.has_room(limits, now) {
            match identifier {
                Identifier::Address(address) => drop(self.addresses.insert(address, windows)),
                Identifier::Text(text) => drop(self.texts.insert(text.into(), windows)),
            }
        }
        usage
    }

    /// Forgets clients whose windows are over when there are many, at most once a second.
    fn has_room(&mut self, limits: &[(Period, u64)], now: u64) -> bool {
        let clients = |shard: &Self| shard.addresses.len() + shard.texts.len();
        if clients(self) >= self.sweep_at.max(1024) && now > self.swept {
            self.addresses.retain(|_, windows| windows.is_open(limits, now));
            self.texts.retain(|_, windows| windows.is_open(limits, now));
            self.swept = now;
            self.sweep_at = (clients(self) * 2).min(ROOM);
        }
        clients(self) < ROOM
    }
}

impl Windows {
    fn count(&mut self, limits: &[(Period, u64)], now: u64) -> Usage {
        let mut allowed = true;
        for &(period, limit) in limits {
            let window = &mut self.windows[period as usize];
            let start = period.start(now);
            if window.start != start {
                *window = Window { start, count: 0 };
            }
            allowed &= window.count < limit;
        }
        if allowed {
            for &(period, _) in limits {
                self.windows[period as usize].count += 1;
            }
        }
        Usage { allowed, counts: self.windows.map(|window| window.count) }
    }

    fn is_open(&self, limits: &[(Period, u64)], now: u64) -> bool {
        limits.iter().any(|&(period, _)| self.windows[period as usize].start == period.start(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_pass_however_many_count_at_once() {
        let counters = Counters::new();
        let limits = [(Period::Minute, 100)];
        let passed: usize = std::thread::scope(|scope| {
            let count =
                || (0..50).filter(|_| counters.count(Identifier::Text("x"), &limits, 60).allowed).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 100);
        assert!(counters.count(Identifier::Text("x"), &limits, 120).allowed);
        assert!(counters.count(Identifier::Text("y"), &limits, 60).allowed);
    }

    #[test]
    fn clients_are_forgotten_when_their_windows_end() {
        let mut shard = Shard::default();
        let limits = [(Period::Minute, 1)];
        for n in 0..2000 {
            shard.count(Identifier::Text(&n.to_string()), &limits, n / 40);
        }
        assert_eq!(shard.texts.len(), 2000);
        shard.sweep_at = 2000;
        shard.count(Identifier::Text("last"), &limits, 60);
        assert_eq!(shard.texts.len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let mut shard = Shard::default();
        let limits = [(Period::Year, 1)];
        for n in 0..ROOM + 10 {
            assert!(shard.count(Identifier::Text(&n.to_string()), &limits, 1).allowed);
        }
        assert_eq!(shard.texts.len(), ROOM);
    }
}
