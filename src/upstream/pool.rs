//! Connection pool of all origins, and leases of its connections.

use std::{
    sync::{Arc, Once, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::{PoolSettings, ResponseHeadBounds, UpstreamOrigin, connect::NewConnection, http1, http2};
use crate::supervise::supervise;

/// The longest interval at which connections that are closed, or idle for too long, are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Connections to upstreams. Clones share the connections.
#[derive(Clone, Debug)]
pub struct ConnectionPool {
    pub(super) shared: Arc<PoolState>,
}

/// State that the handles of a pool share.
#[derive(Debug)]
pub(super) struct PoolState {
    settings: PoolSettings,
    http1: Arc<http1::IdlePool>,
    http2: http2::Http2Pool,
    sweeping: Once,
}

/// A connection for one exchange.
#[derive(Debug)]
pub(super) enum ConnectionLease {
    /// A connection for this exchange alone. Dropping it closes the connection.
    Exclusive(http1::Http1Connection, http1::PoolSlot),
    /// A stream of a connection that other exchanges use, too.
    Shared(http2::StreamPermit),
}

impl ConnectionPool {
    /// An empty pool.
    pub fn new(settings: PoolSettings) -> Self {
        Self {
            shared: Arc::new(PoolState {
                settings,
                http1: Arc::new(http1::IdlePool::new(settings)),
                http2: http2::Http2Pool::new(settings),
                sweeping: Once::new(),
            }),
        }
    }

    /// Bounds of the heads of responses.
    pub(super) fn head_bounds(&self) -> ResponseHeadBounds {
        self.shared.settings.head_bounds
    }

    /// Number of idle connections.
    pub fn idle(&self) -> usize {
        self.shared.http1.idle() + self.shared.http2.idle()
    }

    /// Closes the idle connections to all origins that `matches` accepts.
    pub fn close_idle(&self, matches: impl Fn(&UpstreamOrigin) -> bool) {
        self.shared.http1.remove_origins(&matches);
        self.shared.http2.remove_origins(matches);
    }

    /// Takes the most recently used idle connection to an origin, or a stream of a shared one.
    pub(super) fn lease_idle(
        &self,
        origin: &UpstreamOrigin,
        repeatability: http1::Repeatability,
        now: Instant,
    ) -> Option<ConnectionLease> {
        if origin.is_http2() {
            self.shared.http2.take(origin).map(ConnectionLease::Shared)
        } else {
            let connection = self.shared.http1.take(origin, repeatability, now);
            connection.map(|connection| self.exclusive_lease(connection, origin))
        }
    }

    /// Leases a new connection.
    pub(super) fn lease_new(&self, origin: &UpstreamOrigin, connection: NewConnection) -> ConnectionLease {
        self.shared.start_sweeping();
        match connection {
            NewConnection::Http1(connection) => self.exclusive_lease(connection, origin),
            NewConnection::Http2(connection) => {
                ConnectionLease::Shared(self.shared.http2.share(origin, connection))
            }
        }
    }

    fn exclusive_lease(
        &self,
        connection: http1::Http1Connection,
        origin: &UpstreamOrigin,
    ) -> ConnectionLease {
        ConnectionLease::Exclusive(connection, http1::PoolSlot::new(origin, &self.shared.http1))
    }
}

impl Default for ConnectionPool {
    fn default() -> Self {
        Self::new(PoolSettings::default())
    }
}

impl PoolState {
    fn start_sweeping(self: &Arc<Self>) {
        self.sweeping.call_once(|| {
            let pool = Arc::downgrade(self);
            drop(tokio::spawn(supervise("idle connections", move || sweep_forever(pool.clone()))));
        });
    }

    /// Closes connections that are idle for too long at `now`, or that the upstream has closed.
    pub(super) fn sweep(&self, now: Instant) {
        self.http1.sweep(now);
        self.http2.sweep(now);
    }
}

/// Sweeps until the last handle of the pool is dropped.
async fn sweep_forever(pool: Weak<PoolState>) {
    while let Some(period) = pool.upgrade().map(|shared| shared.settings.idle_timeout / 4) {
        tokio::time::sleep(period.clamp(Duration::from_millis(10), SWEEP_INTERVAL)).await;
        if let Some(shared) = pool.upgrade() {
            shared.sweep(Instant::now());
        }
    }
}
