//! Idle connections, kept per origin, and the loan of one of them.
//!
//! The shelf is cut into shards and a thread starts its search at its own, so that threads rarely meet. (Kong's pool
//! is per worker, too.) Nobody waits for an idle connection: whether its upstream has closed it is seen when it is
//! taken, and once a second.

use std::{
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak},
    thread,
    time::Duration,
};

use hashbrown::HashMap;
use tokio::time::Instant;

use super::{
    Origin,
    connect::Connection,
    http1::Link,
    http2::{Shelf, Stream},
};

/// How many parts the shelf has.
const SHARDS: usize = 16;

/// How often is looked for connections that have been closed or idle for too long, at least.
const SWEEP: Duration = Duration::from_secs(1);

thread_local! {
    static SHARD: usize = {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(thread::current().id());
        usize::try_from(hash % SHARDS as u64).unwrap_or(0)
    };
}

/// How long connections are kept. The defaults are Kong's (`upstream_keepalive_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// The most idle connections to one origin that a worker keeps; 0 keeps none.
    pub idle_per_origin: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How many requests one connection serves.
    pub max_requests: u32,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { idle_per_origin: 512, idle_timeout: Duration::from_mins(1), max_requests: 10_000 }
    }
}

/// Connections to upstreams. A clone is another handle to the same connections.
#[derive(Clone, Debug)]
pub struct Pool {
    pub(super) shared: Arc<Shared>,
}

/// What the handles of a pool share.
#[derive(Debug)]
pub(super) struct Shared {
    settings: PoolSettings,
    shards: [Mutex<Shard>; SHARDS],
    shelf: Shelf,
    sweeping: Once,
}

/// Idle connections, the most recently used ones last.
type Shard = HashMap<Origin, Vec<Idle>>;

#[derive(Debug)]
struct Idle {
    link: Link,
    since: Instant,
}

/// A connection for one exchange.
#[derive(Debug)]
pub(super) enum Lease {
    /// Nobody else has it. Dropping the link closes it.
    Own(Link, Home),
    /// A place on one that others use, too.
    Shared(Stream),
}

/// Where a connection goes after an exchange.
#[derive(Debug)]
pub(super) struct Home {
    origin: Origin,
    shared: Arc<Shared>,
}

impl Pool {
    /// An empty pool.
    pub fn new(settings: PoolSettings) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings,
                shards: Default::default(),
                shelf: Shelf::default(),
                sweeping: Once::new(),
            }),
        }
    }

    /// How many connections are idle.
    pub fn idle(&self) -> usize {
        let own: usize =
            self.shared.shards.iter().map(|shard| lock(shard).values().map(Vec::len).sum::<usize>()).sum();
        own + self.shared.shelf.idle()
    }

    /// Closes the idle connections to all origins of this kind.
    pub fn close_idle(&self, of: impl Fn(&Origin) -> bool) {
        for shard in &self.shared.shards {
            lock(shard).retain(|origin, _| !of(origin));
        }
        self.shared.shelf.forget(of);
    }

    /// Takes an idle connection to an origin, the most recently used first, or a place on one that is shared.
    pub(super) fn take(&self, origin: &Origin, now: Instant) -> Option<Lease> {
        if origin.is_http2() {
            return self.shared.shelf.take(origin, self.shared.settings.max_requests).map(Lease::Shared);
        }
        let own = SHARD.with(|shard| *shard);
        let (before, after) = self.shared.shards.split_at(own);
        after.iter().chain(before).find_map(|shard| {
            let mut shard = lock(shard);
            let idle = shard.get_mut(origin)?;
            while let Some(mut candidate) = idle.pop() {
                if self.shared.is_fresh(&mut candidate, now) {
                    return Some(Lease::Own(candidate.link, self.home(origin)));
                }
            }
            None
        })
    }

    /// Lends a new connection.
    pub(super) fn lend(&self, origin: &Origin, connection: Connection) -> Lease {
        match connection {
            Connection::Http1(link) => Lease::Own(link, self.home(origin)),
            Connection::Http2(connection) => {
                self.shared.sweep_from_now();
                Lease::Shared(self.shared.shelf.share(origin, connection))
            }
        }
    }

    fn home(&self, origin: &Origin) -> Home {
        Home { origin: origin.clone(), shared: Arc::clone(&self.shared) }
    }
}

impl Home {
    /// Takes a connection back, in place of the one unused for longest if there are too many.
    pub(super) fn put(self, link: Link) {
        let Self { origin, shared } = self;
        let settings = &shared.settings;
        if link.served >= settings.max_requests || settings.idle_per_origin == 0 {
            return;
        }
        shared.sweep_from_now();
        let idle = Idle { link, since: Instant::now() };
        let own = SHARD.with(|shard| *shard);
        let surplus = {
            let mut shard = lock(&shared.shards[own]);
            let kept = shard.entry(origin).or_default();
            kept.push(idle);
            (kept.len() > settings.idle_per_origin).then(|| kept.remove(0))
        };
        drop(surplus);
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(PoolSettings::default())
    }
}

impl Shared {
    fn is_fresh(&self, idle: &mut Idle, now: Instant) -> bool {
        now.saturating_duration_since(idle.since) < self.settings.idle_timeout && idle.link.is_quiet()
    }

    fn sweep_from_now(self: &Arc<Self>) {
        self.sweeping.call_once(|| drop(tokio::spawn(sweep_forever(Arc::downgrade(self)))));
    }

    /// Closes connections that have been idle for too long at `now`, or that the upstream closed.
    pub(super) fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            lock(shard).retain(|_, idle| {
                idle.retain_mut(|candidate| self.is_fresh(candidate, now));
                !idle.is_empty()
            });
        }
        self.shelf.sweep(now, self.settings.idle_timeout, self.settings.max_requests);
    }
}

/// Sweeps for as long as a handle of the pool exists.
async fn sweep_forever(pool: Weak<Shared>) {
    while let Some(period) = pool.upgrade().map(|shared| shared.settings.idle_timeout / 4) {
        tokio::time::sleep(period.clamp(Duration::from_millis(10), SWEEP)).await;
        if let Some(shared) = pool.upgrade() {
            shared.sweep(Instant::now());
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // A shard holds no invariant that a panic could break.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
