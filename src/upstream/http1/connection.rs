//! Connection that carries one request at a time.

use std::time::Duration;

use super::lazy_timer::LazyTimer;
use crate::upstream::stream::UpstreamStream;

/// A connection, idle or in use.
#[derive(Debug)]
pub(in crate::upstream) struct Http1Connection {
    pub(super) stream: UpstreamStream,
    pub(super) timer: LazyTimer,
    /// Number of requests that the upstream has answered on it.
    pub(super) served: u32,
    /// Time of idleness after which the upstream may close it, as far as the last response tells; zero if at any time.
    pub(super) safe_idle_time: Option<Duration>,
}

/// Whether a request can be sent again if its connection turns out to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::upstream) enum Repeatability {
    Repeatable,
    /// The upstream might process it twice.
    Once,
}

impl Http1Connection {
    /// A new connection.
    pub(in crate::upstream) const fn new(stream: UpstreamStream) -> Self {
        Self { stream, timer: LazyTimer::new(), served: 0, safe_idle_time: None }
    }

    /// Whether it can carry a request, as far as is known.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }

    /// The same, but asks the system, for a request that cannot be sent again.
    pub(super) fn is_silent(&self) -> bool {
        self.stream.is_silent()
    }
}
