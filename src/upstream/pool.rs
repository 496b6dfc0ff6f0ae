//! Connections to all origins, and the loan of one of them.

use std::{
    sync::{Arc, Once, Weak},
    time::Duration,
};

use tokio::time::Instant;

use super::{PoolSettings, UpstreamOrigin, connect::NewConnection, http1, http2};
use crate::supervise::supervise;

/// How often is looked for connections that have been closed or idle for too long, at least.
const SWEEP: Duration = Duration::from_secs(1);

/// Connections to upstreams. A clone is another handle to the same connections.
#[derive(Clone, Debug)]
pub struct ConnectionPool {
    pub(super) shared: Arc<PoolState>,
}

/// What the handles of a pool share.
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
    /// Nobody else has it. Dropping the link closes it.
    Own(http1::Http1Connection, http1::PoolSlot),
    /// A place on one that others use, too.
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

    /// How many connections are idle.
    pub fn idle(&self) -> usize {
        self.shared.http1.idle() + self.shared.http2.idle()
    }

    /// Closes the idle connections to all origins of this kind.
    pub fn close_idle(&self, of: impl Fn(&UpstreamOrigin) -> bool) {
        self.shared.http1.forget(&of);
        self.shared.http2.forget(of);
    }

    /// Takes an idle connection to an origin, the most recently used first, or a place on one that is shared.
    pub(super) fn take(&self, origin: &UpstreamOrigin, now: Instant) -> Option<ConnectionLease> {
        if origin.is_http2() {
            self.shared.http2.take(origin).map(ConnectionLease::Shared)
        } else {
            self.shared.http1.take(origin, now).map(|link| self.own(link, origin))
        }
    }

    /// Lends a new connection.
    pub(super) fn lend(&self, origin: &UpstreamOrigin, connection: NewConnection) -> ConnectionLease {
        self.shared.sweep_from_now();
        match connection {
            NewConnection::Http1(link) => self.own(link, origin),
            NewConnection::Http2(connection) => {
                ConnectionLease::Shared(self.shared.http2.share(origin, connection))
            }
        }
    }

    fn own(&self, link: http1::Http1Connection, origin: &UpstreamOrigin) -> ConnectionLease {
        ConnectionLease::Own(link, http1::PoolSlot::new(origin, &self.shared.http1))
    }
}

impl Default for ConnectionPool {
    fn default() -> Self {
        Self::new(PoolSettings::default())
    }
}

impl PoolState {
    fn sweep_from_now(self: &Arc<Self>) {
        self.sweeping.call_once(|| {
            let pool = Arc::downgrade(self);
            drop(tokio::spawn(supervise("idle connections", move || sweep_forever(pool.clone()))));
        });
    }

    /// Closes connections that have been idle for too long at `now`, or that the upstream closed.
    pub(super) fn sweep(&self, now: Instant) {
        self.http1.sweep(now);
        self.http2.sweep(now);
    }
}

/// Sweeps for as long as a handle of the pool exists.
async fn sweep_forever(pool: Weak<PoolState>) {
    while let Some(period) = pool.upgrade().map(|shared| shared.settings.idle_timeout / 4) {
        tokio::time::sleep(period.clamp(Duration::from_millis(10), SWEEP)).await;
        if let Some(shared) = pool.upgrade() {
            shared.sweep(Instant::now());
        }
    }
}
