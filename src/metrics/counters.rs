//! Counters of a Route and its Service, and their values.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    histogram::{GATEWAY_BOUNDS, Histogram, HistogramSum, LATENCY_BOUNDS},
    sharded::Sharded,
    traffic::TrafficCounts,
};

/// Counters of a Route. The next Snapshot keeps them if it has a Route and a Service with the same names.
#[derive(Debug, Default)]
pub struct RouteCounters {
    /// Name of the Service, or else its host; empty if the Route has no Service.
    pub service: String,
    /// Name of the Route, or else its id.
    pub route: String,
    pub(super) all: Sharded<CounterShard>,
    /// Counters of single Consumers, by name.
    consumers: Mutex<BTreeMap<String, Arc<Sharded<TrafficCounts>>>>,
}

/// Counters of one thread.
#[derive(Debug, Default)]
pub(super) struct CounterShard {
    pub(super) traffic: TrafficCounts,
    pub(super) gateway: Histogram,
    pub(super) upstream: Histogram,
    pub(super) request: Histogram,
}

/// Numbers of responses and bytes, of one Consumer or of all others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Name of the Consumer; empty for requests without a Consumer, or if Consumers are not counted separately.
    pub consumer: String,
    /// Numbers of responses by status and source (Kong's label).
    pub statuses: BTreeMap<(u16, &'static str), u64>,
    /// Bytes from clients.
    pub ingress: u64,
    /// Bytes to clients.
    pub egress: u64,
}

/// Latencies of requests.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyHistograms {
    /// Time in the gateway.
    pub gateway: HistogramSum,
    /// Time from sending a request upstream to the head of the response.
    pub upstream: HistogramSum,
    /// Time from the head of the request to the last byte of the response.
    pub request: HistogramSum,
}

impl RouteCounters {
    /// Counters with the value 0.
    #[must_use]
    pub fn new(service: String, route: String) -> Self {
        Self { service, route, ..Self::default() }
    }

    /// Counts, by Consumer if they are counted separately.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestCounts> {
        let mut counts = vec![sum_shards(String::new(), self.all.all().map(|shard| &shard.traffic))];
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        counts.extend(consumers.iter().map(|(name, one)| sum_shards(name.clone(), one.all())));
        counts
    }

    /// Latencies of requests.
    #[must_use]
    pub fn latencies(&self) -> LatencyHistograms {
        LatencyHistograms {
            gateway: HistogramSum::new(GATEWAY_BOUNDS, self.all.all().map(|shard| &shard.gateway)),
            upstream: HistogramSum::new(LATENCY_BOUNDS, self.all.all().map(|shard| &shard.upstream)),
            request: HistogramSum::new(LATENCY_BOUNDS, self.all.all().map(|shard| &shard.request)),
        }
    }

    /// Counters of a Consumer.
    pub(super) fn of_consumer(&self, name: &str) -> Arc<Sharded<TrafficCounts>> {
        let mut consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(consumers.entry(name.to_owned()).or_default())
    }
}

/// Adds the counts of all threads.
fn sum_shards<'a>(consumer: String, all: impl Iterator<Item = &'a TrafficCounts>) -> RequestCounts {
    let mut sum = RequestCounts { consumer, ..RequestCounts::default() };
    for one in all {
        one.add_statuses(&mut sum.statuses);
        let (ingress, egress) = one.bytes();
        sum.ingress += ingress;
        sum.egress += egress;
    }
    sum
}
