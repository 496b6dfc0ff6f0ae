//! Idle connections, kept per origin, and the loan of one of them.
//!
//! The shelf is cut into shards and a thread starts its search at its own, so that threads rarely meet, and a
//! request is likely to meet the connection whose task runs on the same thread. (Kong's pool is per worker, too.)

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak},
    thread,
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{
    Origin,
    body::Pace,
    connect::{Connection, Sender},
    http2::{Shelf, Stream},
};

/// How many parts the shelf has.
const SHARDS: usize = 16;
/// How long a connection may take to finish an exchange whose response was read completely.
const SETTLING: Duration = Duration::from_secs(1);

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
    connection: Connection,
    since: Instant,
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
    pub(super) fn take(&self, origin: &Origin) -> Option<Lease> {
        if origin.is_http2() {
            let (connection, stream) = self.shared.shelf.take(origin, self.shared.settings.max_requests)?;
            return Some(self.lease(origin, connection, Some(stream)));
        }
        let own = SHARD.with(|shard| *shard);
        let (before, after) = self.shared.shards.split_at(own);
        let now = Instant::now();
        after.iter().chain(before).find_map(|shard| {
            let mut shard = lock(shard);
            let idle = shard.get_mut(origin)?;
            while let Some(candidate) = idle.pop() {
                if self.shared.is_fresh(&candidate, now) {
                    return Some(self.lease(origin, candidate.connection, None));
                }
            }
            None
        })
    }

    /// Lends a connection that is not on the shelf.
    pub(super) fn lend(&self, origin: &Origin, connection: Connection) -> Lease {
        if !matches!(connection.sender, Sender::Http2(_)) {
            return self.lease(origin, connection, None);
        }
        self.shared.sweep_from_now();
        let (connection, stream) = self.shared.shelf.share(origin, connection);
        self.lease(origin, connection, stream)
    }

    fn lease(&self, origin: &Origin, connection: Connection, stream: Option<Stream>) -> Lease {
        Lease {
            stream,
            connection: Some(connection),
            origin: origin.clone(),
            shared: Arc::clone(&self.shared),
            upload: None,
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new(PoolSettings::default())
    }
}

impl Shared {
    fn is_fresh(&self, idle: &Idle, now: Instant) -> bool {
        idle.connection.sender.is_ready()
            && now.saturating_duration_since(idle.since) < self.settings.idle_timeout
    }

    fn sweep_from_now(self: &Arc<Self>) {
        self.sweeping.call_once(|| drop(tokio::spawn(sweep_forever(Arc::downgrade(self)))));
    }

    /// Puts a connection on the shelf, in place of the one unused for longest if it is full.
    fn put(self: &Arc<Self>, origin: Origin, connection: Connection) {
        if connection.served >= self.settings.max_requests || self.settings.idle_per_origin == 0 {
            return;
        }
        self.sweep_from_now();
        let idle = Idle { connection, since: Instant::now() };
        let own = SHARD.with(|shard| *shard);
        let surplus = {
            let mut shard = lock(&self.shards[own]);
            let kept = shard.entry(origin).or_default();
            kept.push(idle);
            (kept.len() > self.settings.idle_per_origin).then(|| kept.remove(0))
        };
        drop(surplus);
    }

    /// Closes connections that have been idle for too long at `now`, or that the upstream closed.
    pub(super) fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            lock(shard).retain(|_, idle| {
                idle.retain(|candidate| self.is_fresh(candidate, now));
                !idle.is_empty()
            });
        }
        self.shelf.sweep(now, self.settings.idle_timeout, self.settings.max_requests);
    }
}

/// Sweeps for as long as a handle of the pool exists.
async fn sweep_forever(pool: Weak<Shared>) {
    while let Some(period) = pool.upgrade().map(|shared| shared.settings.idle_timeout / 4) {
        tokio::time::sleep(period.max(Duration::from_millis(10))).await;
        if let Some(shared) = pool.upgrade() {
            shared.sweep(Instant::now());
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // A shard holds no invariant that a panic could break.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The loan of a connection for one exchange. Dropping it closes the connection at once, or leaves a shared one to
/// the others.
#[derive(Debug)]
pub(super) struct Lease {
    /// The place on a connection that others use, too.
    stream: Option<Stream>,
    connection: Option<Connection>,
    origin: Origin,
    shared: Arc<Shared>,
    upload: Option<Arc<Pace>>,
}

impl Lease {
    /// The connection, for the one exchange; `upload` tells when its request is written.
    pub(super) fn begin(&mut self, upload: Option<Arc<Pace>>) -> Option<&mut Connection> {
        self.upload = upload;
        self.connection.as_mut()
    }

    /// Leaves the connection to whoever holds its upgrade.
    pub(super) fn upgraded(mut self) {
        self.connection = None;
    }

    /// Whom the connection leads to.
    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether others use the connection, too.
    pub(super) const fn is_shared(&self) -> bool {
        self.stream.is_some()
    }

    /// Keeps the connection for the next exchange, if it is fit for one.
    pub(super) fn give_back(mut self) {
        if self.stream.is_some() {
            return;
        }
        if self.upload.as_ref().is_some_and(|pace| !pace.is_done()) {
            return;
        }
        let Some(mut connection) = self.connection.take() else { return };
        connection.served += 1;
        let origin = self.origin.clone();
        if connection.sender.is_ready() {
            self.shared.put(origin, connection);
        } else if !connection.sender.is_closed() {
            // The connection's task has not yet noticed that the exchange is over.
            let shared = Arc::clone(&self.shared);
            tokio::spawn(async move {
                match timeout(SETTLING, connection.sender.ready()).await {
                    Ok(Ok(())) => shared.put(origin, connection),
                    Ok(Err(_)) | Err(_) => connection.task.abort(),
                }
            });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| self.stream.is_none()) {
            connection.task.abort();
        }
    }
}
