//! Counters of clients in fixed windows, in the memory of this node.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    period::{LimitPeriod, PERIODS},
    table::{CounterTable, OpenWindows},
};
use crate::budget::MemoryBudget;

/// Identifier of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identifier<'a> {
    /// An address.
    Address(IpAddr),
    /// The value of a header, a path or an id.
    Text(&'a str),
}

/// The requests of a client in the open windows, including the one just counted if it is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LimitUsage {
    /// Whether the request is allowed.
    pub(super) allowed: bool,
    /// Requests in the window of each period.
    pub(super) counts: [u64; PERIODS.len()],
}

/// Counters of clients. Several threads may count at once.
pub(super) struct LocalCounters {
    hasher: RandomState,
    tables: [Mutex<CounterTable>; TABLES],
    memory: MemoryBudget,
    /// The Unix time of the last warning that memory is exhausted, and the requests not counted since.
    last_warning: AtomicU64,
    uncounted: AtomicU64,
}

/// The number of tables. While one table grows, requests for the others do not wait.
pub(super) const TABLES: usize = 64;

/// The interval of warnings that memory is exhausted, in seconds.
const WARNING_INTERVAL: u64 = 10;

impl LocalCounters {
    /// Empty counters for clients with this number of limits. All plugins share `memory`.
    pub(super) fn new(limits: usize, memory: &MemoryBudget) -> Self {
        Self {
            hasher: RandomState::new(),
            tables: std::array::from_fn(|_| Mutex::new(CounterTable::new(limits))),
            memory: memory.clone(),
            last_warning: AtomicU64::new(0),
            uncounted: AtomicU64::new(0),
        }
    }

    /// Counts a request at `now` (Unix time in seconds) unless a limit is reached; a rejected request is not counted. `None`
    /// if memory is exhausted.
    pub(super) fn count(
        &self,
        identifier: Identifier<'_>,
        limits: &[(LimitPeriod, u64)],
        now: u64,
    ) -> Option<LimitUsage> {
        let key = self.key(identifier);
        #[expect(clippy::cast_possible_truncation, reason = "any bits of the key will do")]
        let table = (key >> 64) as usize % TABLES;
        let usage = {
            // A panic between two additions leaves at most one wrong count.
            let mut table = self.tables[table].lock().unwrap_or_else(PoisonError::into_inner);
            table.count(key, &OpenWindows::at(limits, now), &self.memory)
        };
        if usage.is_none() {
            self.warn(now);
        }
        usage
    }

    /// The key of a client: 128 bits, so that collisions do not happen by chance, of a keyed hash (`SipHash`), so that
    /// clients cannot find collisions.
    fn key(&self, identifier: Identifier<'_>) -> u128 {
        let half = |which: u8| u128::from(self.hasher.hash_one((which, identifier)));
        half(0) << 64 | half(1)
    }

    fn warn(&self, now: u64) {
        self.uncounted.fetch_add(1, Relaxed);
        let last = self.last_warning.load(Relaxed);
        if now >= last + WARNING_INTERVAL
            && self.last_warning.compare_exchange(last, now, Relaxed, Relaxed).is_ok()
        {
            let requests = self.uncounted.swap(0, Relaxed);
            tracing::warn!(
                "rate-limiting: requests of new clients that cannot be counted: {requests}; the counters of clients \
                 that have reached a limit leave no room (max_rate_limiting_memory)"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = 64 << 20;

    fn counters(limits: &[(LimitPeriod, u64)], memory: usize) -> LocalCounters {
        LocalCounters::new(limits.len(), &MemoryBudget::new(memory))
    }

    /// The size of the tables in bytes.
    fn size(counters: &LocalCounters) -> usize {
        counters.tables.iter().map(|table| table.lock().unwrap().size()).sum()
    }

    fn clients(counters: &LocalCounters, limits: &[(LimitPeriod, u64)], now: u64) -> usize {
        let limits = OpenWindows::at(limits, now);
        counters.tables.iter().map(|table| table.lock().unwrap().clients(&limits)).sum()
    }

    /// The identity that client `n` shows, of so many bytes.
    fn identity(n: usize, bytes: usize) -> String {
        format!("{n:0>bytes$}")
    }

    #[test]
    fn concurrent_requests_do_not_exceed_the_limit() {
        let limits = [(LimitPeriod::Minute, 100)];
        let counters = counters(&limits, LARGE);
        let passed: usize = std::thread::scope(|scope| {
            let count = || {
                let usages = (0..50).map(|_| counters.count(Identifier::Text("x"), &limits, 60).unwrap());
                usages.filter(|usage| usage.allowed).count()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 100);
        assert!(counters.count(Identifier::Text("x"), &limits, 120).unwrap().allowed);
        assert!(counters.count(Identifier::Text("y"), &limits, 60).unwrap().allowed);
    }

    #[test]
    fn an_address_and_its_text_are_different_clients() {
        let limits = [(LimitPeriod::Minute, 1)];
        let counters = counters(&limits, LARGE);
        let address = Identifier::Address("192.0.2.1".parse().unwrap());
        for identifier in [address, Identifier::Text("192.0.2.1"), Identifier::Text("192.0.2.2")] {
            assert!(counters.count(identifier, &limits, 60).unwrap().allowed);
            assert!(!counters.count(identifier, &limits, 60).unwrap().allowed);
        }
    }

    #[test]
    fn every_client_is_counted_while_there_is_memory() {
        let limits = [(LimitPeriod::Minute, 2), (LimitPeriod::Hour, 3)];
        let counters = counters(&limits, LARGE);
        for (round, now, allowed) in [(1, 3600, true), (2, 3601, true), (3, 3602, false), (4, 3660, true)] {
            for n in 0..50_000 {
                let usage = counters.count(Identifier::Text(&n.to_string()), &limits, now).unwrap();
                assert_eq!(usage.allowed, allowed, "client {n}, round {round}");
            }
        }
    }

    #[test]
    fn a_flood_of_new_clients_stays_within_the_memory_budget() {
        let limits = [(LimitPeriod::Hour, 10)];
        let counters = counters(&limits, 4 << 20);
        let text = identity(0, 7000);
        for n in 0..1_200_000_usize {
            // The end of a long text differs; hashing all of it is not what is tested here.
            let text = if n < 1000 { identity(n, 7000) } else { n.to_string() };
            assert!(counters.count(Identifier::Text(&text), &limits, 3600).unwrap().allowed);
        }
        assert!(counters.count(Identifier::Text(&text), &limits, 3600).is_some());
        let (size, held) = (size(&counters), counters.memory.held());
        assert!(held <= 4 << 20, "{held}");
        assert!(size <= (4 << 20) + TABLES * 32 * 36, "{size}");
        assert!(clients(&counters, &limits, 3600) > (2 << 20) / 36, "nearly all places are used");
    }

    #[test]
    fn a_client_that_reached_its_limit_stays_rejected_during_a_flood() {
        let limits = [(LimitPeriod::Hour, 10)];
        let counters = counters(&limits, 1 << 20);
        let spent: Vec<String> = (0..500).map(|n| format!("spent {n}")).collect();
        let busy: Vec<String> = (0..500).map(|n| format!("busy {n}")).collect();
        for _ in 0..10 {
            for client in &spent {
                assert!(counters.count(Identifier::Text(client), &limits, 3600).unwrap().allowed);
            }
        }
        for _ in 0..5 {
            for client in &busy {
                counters.count(Identifier::Text(client), &limits, 3600).unwrap();
            }
        }
        for n in 0..300_000 {
            let client = format!("flood {n}");
            assert!(counters.count(Identifier::Text(&client), &limits, 3600).unwrap().allowed);
        }
        for client in &spent {
            assert!(!counters.count(Identifier::Text(client), &limits, 3601).unwrap().allowed, "{client}");
        }
        for client in &busy {
            // A client that has used more than the flood keeps its count.
            let usage = counters.count(Identifier::Text(client), &limits, 3601).unwrap();
            assert_eq!(usage.counts[LimitPeriod::Hour as usize], 6, "{client}");
        }
    }

    #[test]
    fn without_memory_a_new_client_is_not_counted_until_windows_end() {
        let limits = [(LimitPeriod::Minute, 1)];
        let counters = counters(&limits, 0);
        let all: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
        let counted = |now| {
            let each = all.iter().map(|client| counters.count(Identifier::Text(client), &limits, now));
            each.flatten().filter(|usage| usage.allowed).count()
        };
        let first = counted(60);
        assert_eq!(first, TABLES * 32, "places that do not count in the budget");
        assert_eq!(counted(61), 0);
        assert_eq!(counted(120), first);
    }

    #[test]
    fn memory_is_released_when_windows_have_ended() {
        let limits = [(LimitPeriod::Minute, 1)];
        let counters = counters(&limits, LARGE);
        for n in 0..100_000 {
            counters.count(Identifier::Text(&n.to_string()), &limits, 60).unwrap();
        }
        assert!(counters.memory.held() > 100_000 * 36);
        for n in 0..10_000 {
            counters.count(Identifier::Text(&n.to_string()), &limits, 180).unwrap();
        }
        assert!(counters.memory.held() < 3 << 20, "{}", counters.memory.held());
        assert_eq!(clients(&counters, &limits, 180), 10_000);
        let memory = counters.memory.clone();
        drop(counters);
        assert_eq!(memory.held(), 0);
    }
}
