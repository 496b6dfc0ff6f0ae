//! A connection that carries one request at a time.

use super::lazy_timer::LazyTimer;
use crate::upstream::stream::UpstreamStream;

/// A connection, at rest or lent for an exchange.
#[derive(Debug)]
pub(in crate::upstream) struct Http1Connection {
    pub(super) stream: UpstreamStream,
    pub(super) alarm: LazyTimer,
    /// How many requests it has answered.
    pub(super) served: u32,
}

impl Http1Connection {
    /// A connection that has carried nothing yet.
    pub(in crate::upstream) const fn new(stream: UpstreamStream) -> Self {
        Self { stream, alarm: LazyTimer::new(), served: 0 }
    }

    /// Whether it can take a request, as far as is known.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }
}
