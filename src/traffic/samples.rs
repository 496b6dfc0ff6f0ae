//! Samples: finished requests, in a buffer for each thread, until they are added up.

use std::{
    fmt, mem,
    sync::{Arc, Mutex},
    time::Instant,
};

use super::{TrafficMonitor, lock};
use crate::{metrics::Sharded, nginx_status::CLIENT_CLOSED_REQUEST, plugin::MatchedRoute};

/// Most samples that a buffer holds; further ones are counted without their Route and duration.
const MAX_SAMPLES: usize = 65_536;

/// What made an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum AnswerKind {
    /// The gateway itself: a plugin, the router, or an upstream that could not answer.
    #[default]
    Gateway,
    /// The plugin mocking.
    Mock,
    /// An upstream.
    Upstream,
}

impl AnswerKind {
    /// The word for it in answers of the Admin API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Mock => "mock",
            Self::Upstream => "upstream",
        }
    }
}

/// A finished request.
#[derive(Debug)]
pub(super) struct TrafficSample {
    pub(super) route: Option<Arc<MatchedRoute>>,
    /// Microseconds from its arrival to the end of its response.
    pub(super) micros: u32,
    pub(super) status: u16,
    pub(super) kind: AnswerKind,
}

/// Samples since they were last taken.
#[derive(Debug, Default)]
pub(super) struct TrafficSamples {
    pub(super) kept: Vec<TrafficSample>,
    /// Requests beyond the limit of a buffer.
    pub(super) excess: u64,
}

/// Buffers of samples, one for each thread.
#[derive(Debug, Default)]
pub(super) struct SampleBuffers(Sharded<Mutex<TrafficSamples>>);

impl SampleBuffers {
    fn push(&self, sample: TrafficSample) {
        let mut buffer = lock(self.0.local());
        if buffer.kept.len() < MAX_SAMPLES {
            buffer.kept.push(sample);
        } else {
            buffer.excess += 1;
        }
    }

    /// Takes the samples of all buffers.
    pub(super) fn take(&self) -> TrafficSamples {
        let mut all = TrafficSamples::default();
        for buffer in self.0.all() {
            let taken = mem::take(&mut *lock(buffer));
            all.excess += taken.excess;
            if all.kept.is_empty() {
                all.kept = taken.kept;
            } else {
                all.kept.extend(taken.kept);
            }
        }
        all
    }
}

/// A request in progress. Dropping it counts it.
pub struct RequestTraffic {
    monitor: Arc<TrafficMonitor>,
    /// Arrival, as [`TrafficMonitor::micros`]. Shorter than an `Instant`: the future of every request contains it.
    started: u32,
    route: Option<Arc<MatchedRoute>>,
    status: u16,
    kind: AnswerKind,
}

impl RequestTraffic {
    pub(super) fn new(monitor: Arc<TrafficMonitor>, started: Instant) -> Self {
        let started = monitor.micros(started);
        Self { monitor, started, route: None, status: CLIENT_CLOSED_REQUEST, kind: AnswerKind::Gateway }
    }

    /// Records the response.
    pub fn record_response(&mut self, status: u16, kind: AnswerKind, route: Option<Arc<MatchedRoute>>) {
        (self.status, self.kind, self.route) = (status, kind, route);
    }
}

impl Drop for RequestTraffic {
    fn drop(&mut self) {
        let micros = self.monitor.micros(Instant::now()).wrapping_sub(self.started);
        self.monitor.samples.push(TrafficSample {
            route: self.route.take(),
            micros,
            status: self.status,
            kind: self.kind,
        });
    }
}

impl fmt::Debug for RequestTraffic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RequestTraffic").field("status", &self.status).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_bounded_and_no_request_is_lost() {
        let buffers = SampleBuffers::default();
        for _ in 0..MAX_SAMPLES + 3 {
            buffers.push(TrafficSample { route: None, micros: 1, status: 200, kind: AnswerKind::Mock });
        }
        let taken = buffers.take();
        assert_eq!((taken.kept.len(), taken.excess), (MAX_SAMPLES, 3));
        assert_eq!(buffers.take().kept.len(), 0);
    }

    #[test]
    fn a_request_that_is_dropped_counts_as_one_whose_client_left() {
        let monitor = Arc::new(TrafficMonitor::default());
        drop(monitor.start_request(Instant::now()));
        let mut request = monitor.start_request(Instant::now());
        request.record_response(200, AnswerKind::Mock, None);
        drop(request);
        let seen: Vec<_> =
            monitor.samples.take().kept.iter().map(|sample| (sample.status, sample.kind)).collect();
        assert_eq!(seen, [(499, AnswerKind::Gateway), (200, AnswerKind::Mock)]);
    }
}
