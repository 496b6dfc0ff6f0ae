//! Idle connections, kept per origin.
//!
//! The shelf is cut into shards and a thread starts its search at its own, so that threads rarely meet. (Kong's pool
//! is per worker, too.) Nobody waits for an idle connection: whether its upstream has closed it is seen when it is
//! taken, and when the shelf is swept.

use std::{
    fmt,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use hashbrown::HashMap;
use tokio::time::Instant;

use super::connection::Http1Connection;
use crate::upstream::{PoolSettings, UpstreamOrigin};

/// How many parts the shelf has.
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
    link: Http1Connection,
    since: Instant,
}

/// Where a connection goes after an exchange.
#[derive(Debug)]
pub(in crate::upstream) struct PoolSlot {
    origin: UpstreamOrigin,
    shelf: Arc<IdlePool>,
}

impl IdlePool {
    pub(in crate::upstream) fn new(settings: PoolSettings) -> Self {
        Self { settings, shards: Default::default() }
    }

    /// How many connections are idle.
    pub(in crate::upstream) fn idle(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).values().map(Vec::len).sum::<usize>()).sum()
    }

    /// Takes the connection to an origin that was used most recently.
    pub(in crate::upstream) fn take(&self, origin: &UpstreamOrigin, now: Instant) -> Option<Http1Connection> {
        let own = SHARD.with(|shard| *shard);
        let (before, after) = self.shards.split_at(own);
        after.iter().chain(before).find_map(|shard| {
            loop {
                // What has gone stale is closed outside of the lock.
                let mut candidate = lock(shard).get_mut(origin)?.pop()?;
                if self.is_fresh(&mut candidate, now) {
                    return Some(candidate.link);
                }
            }
        })
    }

    /// Closes the connections to all origins of this kind.
    pub(in crate::upstream) fn forget(&self, of: impl Fn(&UpstreamOrigin) -> bool) {
        for shard in &self.shards {
            let closed: Vec<_> = lock(shard).extract_if(|origin, _| of(origin)).collect();
            drop(closed);
        }
    }

    /// Closes connections that have been idle for too long at `now`, or that the upstream closed.
    ///
    /// To ask whether one is quiet reads from it, but asks the system only if the runtime has been told of an event
    /// there: the lock is held for a look at each connection, and for a call only for those that are to be closed.
    pub(in crate::upstream) fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            let mut stale = Vec::new();
            lock(shard).retain(|_, idle| {
                stale.extend(idle.extract_if(.., |candidate| !self.is_fresh(candidate, now)));
                !idle.is_empty()
            });
            // Closing is a call to the system for each: it is done outside of the lock.
            drop(stale);
        }
    }

    fn is_fresh(&self, idle: &mut IdleConnection, now: Instant) -> bool {
        now.saturating_duration_since(idle.since) < self.settings.idle_timeout && idle.link.is_quiet()
    }
}

impl PoolSlot {
    pub(in crate::upstream) fn new(origin: &UpstreamOrigin, shelf: &Arc<IdlePool>) -> Self {
        Self { origin: origin.clone(), shelf: Arc::clone(shelf) }
    }

    /// The host and port that it leads to.
    pub(super) fn place(&self) -> impl fmt::Display {
        format!("{}:{}", self.origin.host, self.origin.port)
    }

    /// Takes a connection back, in place of the one unused for longest if there are too many.
    pub(super) fn put(self, link: Http1Connection) {
        let Self { origin, shelf } = self;
        let settings = &shelf.settings;
        if link.served >= settings.max_requests || settings.idle_per_origin == 0 {
            return;
        }
        let idle = IdleConnection { link, since: Instant::now() };
        let own = SHARD.with(|shard| *shard);
        let surplus = {
            let mut shard = lock(&shelf.shards[own]);
            let kept = shard.entry(origin).or_default();
            kept.push(idle);
            (kept.len() > settings.idle_per_origin).then(|| kept.remove(0))
        };
        drop(surplus);
    }
}

fn lock(shard: &Mutex<IdlePoolShard>) -> MutexGuard<'_, IdlePoolShard> {
    // A shard holds no invariant that a panic could break.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
