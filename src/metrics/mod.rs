//! COUNTS: what became of the requests of each Route, and how that is told to Prometheus.
//!
//! What is counted is decided when a Snapshot is compiled. Each thread counts in memory of its own, so that a request
//! costs a few additions that no other processor waits for. A Route that nobody asks has no such memory.
//! (Kong: Prometheus plugin, "Available metrics".)
//!
//! | part | what it is for |
//! |---|---|
//! | `counting` | what is counted of a Route, and the request that is being counted |
//! | `counters` | the counters of a Route, and what they say |
//! | `traffic`, `histogram` | statuses and bytes; latencies |
//! | `sharded` | memory that threads do not share |
//! | `connections` | what clients' connections are doing |
//! | `definitions` | names, types and help lines of all metrics |
//! | `text` | the format that is read by Prometheus |

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
pub use text::{MetricKind, MetricsText};

/// What is counted of requests. (Kong: Prometheus plugin, configuration.)
#[expect(clippy::struct_excessive_bools, reason = "five switches of Kong's")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricGroups {
    /// The others for each Consumer, too.
    pub per_consumer: bool,
    /// Requests by the status of their answer.
    pub statuses: bool,
    /// How long they took.
    pub latencies: bool,
    /// Bytes in and out.
    pub bandwidth: bool,
    /// Which targets of Upstreams work.
    pub upstream_health: bool,
}

impl MetricGroups {
    /// What either wants.
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

    /// Whether a request has to be counted at all.
    #[must_use]
    pub const fn counts_requests(self) -> bool {
        self.statuses || self.latencies || self.bandwidth
    }
}

/// Who made an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseSource {
    /// The upstream.
    Service,
    /// The gateway: its plugins, or itself where there was no answer.
    Kong,
}

impl ResponseSource {
    /// Kong's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Kong => "kong",
        }
    }
}
