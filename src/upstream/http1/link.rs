//! A connection that carries one request at a time.

use super::alarm::Alarm;
use crate::upstream::stream::Stream;

/// A connection, at rest or lent for an exchange.
#[derive(Debug)]
pub(in crate::upstream) struct Link {
    pub(super) stream: Stream,
    pub(super) alarm: Alarm,
    /// How many requests it has answered.
    pub(super) served: u32,
}

impl Link {
    /// A connection that has carried nothing yet.
    pub(in crate::upstream) const fn new(stream: Stream) -> Self {
        Self { stream, alarm: Alarm::new(), served: 0 }
    }

    /// Whether it can take a request, as far as is known.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.stream.is_quiet()
    }
}
