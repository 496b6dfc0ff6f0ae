//! Connection that carries one request at a time.

use super::lazy_timer::LazyTimer;
use crate::upstream::stream::UpstreamStream;

/// A connection, idle or in use.
#[derive(Debug)]
pub(in crate::upstream) struct Http1Connection {
    pub(super) stream: UpstreamStream,
    pub(super) timer: LazyTimer,
    /// Number of requests that the upstream has answered on it.
    pub(super) served: u32,
}

impl Http1Connection {
    /// A new connection.
    pub(in crate::upstream) const fn new(stream: UpstreamStream) -> Self {
        Self { stream, timer: LazyTimer::new(), served: 0 }
    }

    /// Whether it can carry a request, as far as is known.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }
}
