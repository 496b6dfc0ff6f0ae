//! Pool of idle upstream connections, sharded, by origin.
//!
//! Each thread begins its search at its own shard, so that threads rarely contend for a lock. (Kong's pool is per worker,
//! too.) No task waits on an idle connection: that its upstream has closed it is noticed when it is taken, and when the
//! pool is swept.

use std::{
    fmt,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use hashbrown::HashMap;
use tokio::time::Instant;

use super::connection::{Http1Connection, Repeatability};
use crate::upstream::{PoolSettings, ResponseHeadBounds, UpstreamOrigin};

/// Number of shards.
const SHARDS: usize = 16;

thread_local! {
    static SHARD: usize = {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(thread::current().id());
        usize::try_from(hash % SHARDS as u64).unwrap_or(0)
    };
}

/// The idle connections of all origins.
#[derive(Debug)]
pub(in crate::upstream) struct IdlePool {
    settings: PoolSettings,
    shards: [Mutex<IdlePoolShard>; SHARDS],
}

/// Idle connections, the most recently used ones last.
type IdlePoolShard = HashMap<UpstreamOrigin, Vec<IdleConnection>>;

#[derive(Debug)]
struct IdleConnection {
    connection: Http1Connection,
    since: Instant,
}

/// Place in the pool that a connection returns to after its exchange.
#[derive(Debug)]
pub(in crate::upstream) struct PoolSlot {
    origin: UpstreamOrigin,
    pool: Arc<IdlePool>,
}

impl IdlePool {
    pub(in crate::upstream) fn new(settings: PoolSettings) -> Self {
        Self { settings, shards: Default::default() }
    }

    /// Number of idle connections.
    pub(in crate::upstream) fn idle(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).values().map(Vec::len).sum::<usize>()).sum()
    }

    /// Takes the most recently used connection to an origin that suits the request.
    pub(in crate::upstream) fn take(
        &self,
        origin: &UpstreamOrigin,
        repeatability: Repeatability,
        now: Instant,
    ) -> Option<Http1Connection> {
        let own = SHARD.with(|shard| *shard);
        let (before, after) = self.shards.split_at(own);
        after.iter().chain(before).find_map(|shard| {
            loop {
                // A stale connection is closed after the lock is released.
                let mut candidate = take_suitable(lock(shard).get_mut(origin)?, repeatability, now)?;
                if self.is_fresh(&mut candidate, now)
                    && (repeatability == Repeatability::Repeatable || candidate.connection.is_silent())
                {
                    return Some(candidate.connection);
                }
            }
        })
    }

    /// Closes the connections to all origins that `matches` accepts.
    pub(in crate::upstream) fn remove_origins(&self, matches: impl Fn(&UpstreamOrigin) -> bool) {
        for shard in &self.shards {
            let closed: Vec<_> = lock(shard).extract_if(|origin, _| matches(origin)).collect();
            drop(closed);
        }
    }

    /// Closes connections that are idle for too long at `now`, or that the upstream has closed.
    ///
    /// The check reads from each connection, but makes a system call only if the runtime was notified of an event on it.
    /// So the lock is held for system calls only for connections that are to be closed.
    pub(in crate::upstream) fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            let mut stale = Vec::new();
            lock(shard).retain(|_, idle| {
                stale.extend(idle.extract_if(.., |candidate| !self.is_fresh(candidate, now)));
                !idle.is_empty()
            });
            // Each close is a system call, made after the lock is released.
            drop(stale);
        }
    }

    fn is_fresh(&self, idle: &mut IdleConnection, now: Instant) -> bool {
        now.saturating_duration_since(idle.since) < self.settings.idle_timeout && idle.connection.is_quiet()
    }
}

impl PoolSlot {
    pub(in crate::upstream) fn new(origin: &UpstreamOrigin, pool: &Arc<IdlePool>) -> Self {
        Self { origin: origin.clone(), pool: Arc::clone(pool) }
    }

    /// Bounds of the heads of responses.
    pub(super) fn head_bounds(&self) -> ResponseHeadBounds {
        self.pool.settings.head_bounds
    }

    /// Host and port of the origin, for log lines.
    pub(super) fn origin(&self) -> impl fmt::Display {
        format!("{}:{}", self.origin.host, self.origin.port)
    }

    /// Returns a connection to the pool; closes the least recently used one if there are too many.
    pub(super) fn release(self, connection: Http1Connection) {
        let Self { origin, pool } = self;
        let settings = &pool.settings;
        if connection.served >= settings.max_requests || settings.idle_per_origin == 0 {
            return;
        }
        let idle = IdleConnection { connection, since: Instant::now() };
        let own = SHARD.with(|shard| *shard);
        let surplus = {
            let mut shard = lock(&pool.shards[own]);
            let kept = shard.entry(origin).or_default();
            kept.push(idle);
            (kept.len() > settings.idle_per_origin).then(|| kept.remove(0))
        };
        drop(surplus);
    }
}

/// Takes the most recently used connection. For a request that cannot be repeated, those that the upstream may close by
/// now are left to other requests.
fn take_suitable(
    idle: &mut Vec<IdleConnection>,
    repeatability: Repeatability,
    now: Instant,
) -> Option<IdleConnection> {
    if repeatability == Repeatability::Repeatable {
        return idle.pop();
    }
    let is_safe = |candidate: &IdleConnection| {
        let time = now.saturating_duration_since(candidate.since);
        candidate.connection.safe_idle_time.is_none_or(|safe| time < safe)
    };
    idle.iter().rposition(is_safe).map(|index| idle.remove(index))
}

fn lock(shard: &Mutex<IdlePoolShard>) -> MutexGuard<'_, IdlePoolShard> {
    // A shard holds no invariant that a panic could break.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
