//! History of the traffic: numbers of responses and their times, by second and Route.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    AnswerKind,
    samples::{TrafficSample, TrafficSamples},
};
use crate::entity::record_label;

/// Seconds that are kept.
const MAX_SECONDS: usize = 600;

/// Most Routes of one second; the requests of further ones are in the sums only.
const MAX_ROUTES: usize = 50;

/// Traffic of the last minutes.
#[derive(Debug, Default)]
pub(super) struct TrafficHistory(VecDeque<HistorySecond>);

#[derive(Debug)]
struct HistorySecond {
    at: u64,
    span: Duration,
    all: AnswerCounts,
    routes: Vec<(Arc<str>, AnswerCounts)>,
}

/// The traffic of one second.
#[derive(Clone, Debug, PartialEq)]
pub struct SecondTraffic {
    /// Its end: Unix time in milliseconds.
    pub at: u64,
    /// Its length in milliseconds; a busy machine may make it longer.
    pub span: u64,
    /// Its responses.
    pub counts: AnswerCounts,
}

/// The traffic of one Route.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteTraffic {
    /// Name of the Route, or its id if it has no name; empty for requests without a Route.
    pub route: Arc<str>,
    /// Its responses.
    pub counts: AnswerCounts,
}

/// Numbers of responses, and their times.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerCounts {
    /// Responses of the gateway itself.
    pub gateway: u64,
    /// Responses of mocks.
    pub mock: u64,
    /// Responses of upstreams.
    pub upstream: u64,
    /// Responses by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Times of the responses of mocks, in microseconds.
    pub mock_times: Percentiles,
    /// Times of the other responses, in microseconds.
    pub other_times: Percentiles,
}

/// Times that half, 95 % and 99 % of the responses did not exceed, and the longest one: microseconds; 0 without responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// The median.
    pub p50: u32,
    /// 95 %.
    pub p95: u32,
    /// 99 %.
    pub p99: u32,
    /// The longest.
    pub max: u32,
}

impl AnswerCounts {
    /// All responses.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.gateway + self.mock + self.upstream
    }

    fn new<'a>(samples: impl Iterator<Item = &'a TrafficSample>) -> Self {
        let mut counts = Self::default();
        let (mut mock_times, mut other_times) = (Vec::new(), Vec::new());
        for sample in samples {
            match sample.kind {
                AnswerKind::Gateway => counts.gateway += 1,
                AnswerKind::Mock => counts.mock += 1,
                AnswerKind::Upstream => counts.upstream += 1,
            }
            *counts.statuses.entry(sample.status).or_default() += 1;
            if sample.kind == AnswerKind::Mock { &mut mock_times } else { &mut other_times }
                .push(sample.micros);
        }
        counts.mock_times = Percentiles::new(mock_times);
        counts.other_times = Percentiles::new(other_times);
        counts
    }

    /// Adds other counts. Percentiles of sums are not known; the largest of both stand for them.
    fn add(&mut self, other: &Self) {
        self.gateway += other.gateway;
        self.mock += other.mock;
        self.upstream += other.upstream;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.mock_times = self.mock_times.max(other.mock_times);
        self.other_times = self.other_times.max(other.other_times);
    }
}

impl Percentiles {
    fn new(mut times: Vec<u32>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1) - 1;
            times.get(rank).copied().unwrap_or_default()
        };
        Self { p50: at(50), p95: at(95), p99: at(99), max: at(100) }
    }

    fn max(self, other: Self) -> Self {
        Self {
            p50: self.p50.max(other.p50),
            p95: self.p95.max(other.p95),
            p99: self.p99.max(other.p99),
            max: self.max.max(other.max),
        }
    }
}

impl TrafficHistory {
    /// Adds the requests that finished in the last `span`.
    pub(super) fn add(&mut self, now: SystemTime, span: Duration, samples: &TrafficSamples) {
        let mut all = AnswerCounts::new(samples.kept.iter());
        all.gateway += samples.excess;
        let mut by_route: HashMap<&str, Vec<&TrafficSample>> = HashMap::new();
        for sample in &samples.kept {
            let route = sample.route.as_deref().and_then(|matched| record_label(&matched.route_record));
            by_route.entry(route.unwrap_or_default()).or_default().push(sample);
        }
        let mut routes: Vec<_> = by_route.into_iter().collect();
        routes.sort_unstable_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(b.0)));
        routes.truncate(MAX_ROUTES);
        let routes = routes
            .into_iter()
            .map(|(route, samples)| (self.known_label(route), AnswerCounts::new(samples.into_iter())))
            .collect();
        if self.0.len() == MAX_SECONDS {
            self.0.pop_front();
        }
        let at = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.push_back(HistorySecond { at: milliseconds(at), span, all, routes });
    }

    /// The same label as in the last seconds, so that names are not kept once for each second.
    fn known_label(&self, route: &str) -> Arc<str> {
        let labels = self.0.iter().rev().take(2).flat_map(|second| &second.routes).map(|(label, _)| label);
        labels.into_iter().find(|label| &***label == route).cloned().unwrap_or_else(|| route.into())
    }

    pub(super) fn seconds(&self, count: usize, route: Option<&str>) -> Vec<SecondTraffic> {
        let seconds = self.0.iter().skip(self.0.len().saturating_sub(count));
        seconds
            .map(|second| SecondTraffic {
                at: second.at,
                span: milliseconds(second.span),
                counts: match route {
                    None => second.all.clone(),
                    Some(route) => {
                        let found = second.routes.iter().find(|(label, _)| &**label == route);
                        found.map(|(_, counts)| counts.clone()).unwrap_or_default()
                    }
                },
            })
            .collect()
    }

    pub(super) fn routes(&self, count: usize) -> Vec<RouteTraffic> {
        let mut sums: BTreeMap<&Arc<str>, AnswerCounts> = BTreeMap::new();
        for second in self.0.iter().skip(self.0.len().saturating_sub(count)) {
            for (route, counts) in &second.routes {
                sums.entry(route).or_default().add(counts);
            }
        }
        let mut routes: Vec<_> = sums
            .into_iter()
            .map(|(route, counts)| RouteTraffic { route: Arc::clone(route), counts })
            .collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.counts.total()));
        routes
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(status: u16, micros: u32, kind: AnswerKind) -> TrafficSample {
        TrafficSample { route: None, micros, status, kind }
    }

    fn add(history: &mut TrafficHistory, samples: Vec<TrafficSample>) {
        let samples = TrafficSamples { kept: samples, excess: 0 };
        history.add(SystemTime::now(), Duration::from_secs(1), &samples);
    }

    #[test]
    fn a_second_has_the_counts_of_its_requests() {
        let mut history = TrafficHistory::default();
        add(
            &mut history,
            vec![
                sample(200, 10, AnswerKind::Mock),
                sample(200, 30, AnswerKind::Mock),
                sample(502, 900, AnswerKind::Gateway),
                sample(200, 700, AnswerKind::Upstream),
            ],
        );
        let counts = &history.seconds(5, None)[0].counts;
        assert_eq!((counts.gateway, counts.mock, counts.upstream, counts.total()), (1, 2, 1, 4));
        assert_eq!(counts.statuses, BTreeMap::from([(200, 3), (502, 1)]));
        assert_eq!(counts.mock_times, Percentiles { p50: 10, p95: 30, p99: 30, max: 30 });
        assert_eq!(counts.other_times, Percentiles { p50: 700, p95: 900, p99: 900, max: 900 });
        assert_eq!(history.seconds(5, Some(""))[0].counts, *counts);
        assert_eq!(history.seconds(5, Some("other"))[0].counts, AnswerCounts::default());
    }

    #[test]
    fn percentiles_are_ranks() {
        let all = Percentiles::new((1..=100).rev().collect());
        assert_eq!(all, Percentiles { p50: 50, p95: 95, p99: 99, max: 100 });
        assert_eq!(Percentiles::new(Vec::new()), Percentiles::default());
        assert_eq!(Percentiles::new(vec![7]), Percentiles { p50: 7, p95: 7, p99: 7, max: 7 });
    }

    #[test]
    fn the_history_is_bounded() {
        let mut history = TrafficHistory::default();
        for _ in 0..MAX_SECONDS + 5 {
            add(&mut history, vec![sample(200, 1, AnswerKind::Mock)]);
        }
        assert_eq!(history.seconds(10_000, None).len(), MAX_SECONDS);
        assert_eq!(history.seconds(3, None).len(), 3);
        assert_eq!(history.routes(10)[0].counts.mock, 10);
    }
}
