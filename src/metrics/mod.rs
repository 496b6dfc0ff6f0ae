//! Metrics of requests by Route, and their text format for Prometheus.
//!
//! The Snapshot decides which metrics are counted. Each thread counts in memory of its own, so that a request costs a few
//! additions without contention between processors. A Route whose plugins ask for no metrics has no such memory.
//! (Kong: Prometheus plugin, "Available metrics".)
//!
//! | part | content |
//! |---|---|
//! | `definitions` | names, types and help lines of all metrics |
//! | `counting` | metrics of a Route in one Snapshot, and of one request |
//! | `counters` | counters of a Route, and their values |
//! | `traffic`, `histogram` | counts of statuses and bytes; latencies |
//! | `sharded` | memory that threads do not share |
//! | `connections` | states of client connections |
//! | `text` | text format for Prometheus |

mod connections;
mod counters;
mod counting;
pub mod definitions;
mod histogram;
mod sharded;
mod text;
mod traffic;

pub use connections::{ConnectionCounters, ConnectionStates, ListenerCounters};
pub use counters::{LatencyHistograms, RequestCounts, RouteCounters};
pub use counting::{AnswerOrigin, RequestMetrics, RouteMetrics};
pub use definitions::MetricDefinition;
pub use histogram::HistogramSum;
pub(crate) use sharded::Sharded;
pub use text::{MetricKind, MetricsText};

/// Groups of metrics that are counted. (Kong: Prometheus plugin, configuration.)
#[expect(clippy::struct_excessive_bools, reason = "five independent switches of Kong's")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricGroups {
    /// The other groups by Consumer, too.
    pub per_consumer: bool,
    /// Requests by the status of their answer.
    pub statuses: bool,
    /// Latencies.
    pub latencies: bool,
    /// Bytes in and out.
    pub bandwidth: bool,
    /// Health of the targets of Upstreams.
    pub upstream_health: bool,
}

impl MetricGroups {
    /// The groups that are in either of two.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            per_consumer: self.per_consumer || other.per_consumer,
            statuses: self.statuses || other.statuses,
            latencies: self.latencies || other.latencies,
            bandwidth: self.bandwidth || other.bandwidth,
            upstream_health: self.upstream_health || other.upstream_health,
        }
    }

    /// Whether any group counts requests.
    #[must_use]
    pub const fn counts_requests(self) -> bool {
        self.statuses || self.latencies || self.bandwidth
    }
}

/// Source of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseSource {
    /// The upstream.
    Service,
    /// The gateway: a plugin, or the gateway itself.
    Kong,
}

impl ResponseSource {
    /// Kong's label of the source.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Kong => "kong",
        }
    }
}
