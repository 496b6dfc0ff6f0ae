//! The counters of one Route and its Service, and what they say.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    histogram::{GATEWAY_BOUNDS, Histogram, HistogramSum, LATENCY_BOUNDS},
    sharded::Sharded,
    traffic::TrafficCounts,
};

/// What was counted of the requests of a Route. They go on when a Snapshot follows that has a Route and a Service of
/// the same names.
#[derive(Debug, Default)]
pub struct RouteCounters {
    /// The name of the Service, or else its host; empty if the Route has none.
    pub service: String,
    /// The name of the Route, or else its id.
    pub route: String,
    pub(super) all: Sharded<CounterShard>,
    /// What is told of Consumers of their own, by their names.
    consumers: Mutex<BTreeMap<String, Arc<Sharded<TrafficCounts>>>>,
}

/// What one thread has counted.
#[derive(Debug, Default)]
pub(super) struct CounterShard {
    pub(super) traffic: TrafficCounts,
    pub(super) gateway: Histogram,
    pub(super) upstream: Histogram,
    pub(super) request: Histogram,
}

/// How often requests of one Consumer were answered how, and how many bytes they took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// The name of the Consumer; empty for requests of nobody, and where Consumers are not told apart.
    pub consumer: String,
    /// Counts by status and by who answered (Kong's word).
    pub statuses: BTreeMap<(u16, &'static str), u64>,
    /// Bytes from clients.
    pub ingress: u64,
    /// Bytes to clients.
    pub egress: u64,
}

/// How long requests took.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyHistograms {
    /// In the gateway.
    pub gateway: HistogramSum,
    /// From handing a request over to the head of the upstream's answer.
    pub upstream: HistogramSum,
    /// From the head of the request to the last byte of the answer.
    pub request: HistogramSum,
}

impl RouteCounters {
    /// Nothing has been counted yet.
    #[must_use]
    pub fn new(service: String, route: String) -> Self {
        Self { service, route, ..Self::default() }
    }

    /// What was counted, for each Consumer that is told apart.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestCounts> {
        let mut told = vec![sum(String::new(), self.all.all().map(|it| &it.traffic))];
        let consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        told.extend(consumers.iter().map(|(name, one)| sum(name.clone(), one.all())));
        told
    }

    /// How long requests took.
    #[must_use]
    pub fn latencies(&self) -> LatencyHistograms {
        LatencyHistograms {
            gateway: HistogramSum::new(GATEWAY_BOUNDS, self.all.all().map(|it| &it.gateway)),
            upstream: HistogramSum::new(LATENCY_BOUNDS, self.all.all().map(|it| &it.upstream)),
            request: HistogramSum::new(LATENCY_BOUNDS, self.all.all().map(|it| &it.request)),
        }
    }

    /// The counters of a Consumer.
    pub(super) fn of_consumer(&self, name: &str) -> Arc<Sharded<TrafficCounts>> {
        let mut consumers = self.consumers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(consumers.entry(name.to_owned()).or_default())
    }
}

fn sum<'a>(consumer: String, all: impl Iterator<Item = &'a TrafficCounts>) -> RequestCounts {
    let mut sum = RequestCounts { consumer, ..RequestCounts::default() };
    for one in all {
        one.statuses(&mut sum.statuses);
        let (ingress, egress) = one.bytes();
        sum.ingress += ingress;
        sum.egress += egress;
    }
    sum
}
