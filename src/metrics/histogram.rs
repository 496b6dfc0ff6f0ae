//! Histograms of latencies, with fixed bounds.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Bounds of latencies of the gateway, in milliseconds. (Kong: Prometheus plugin.)
pub(super) const GATEWAY_BOUNDS: &[u64] =
    &[1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000];

/// Bounds of latencies of upstreams and of whole requests, in milliseconds. (Kong: Prometheus plugin.)
pub(super) const LATENCY_BOUNDS: &[u64] =
    &[25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10_000, 30_000, 60_000];

/// Most buckets, including the one without a bound.
const MAX_BUCKETS: usize = GATEWAY_BOUNDS.len() + 1;

/// Histogram of one thread.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: [AtomicU64; MAX_BUCKETS],
    /// Sum of all times, in microseconds.
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; MAX_BUCKETS], sum: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Adds a time.
    pub(super) fn observe(&self, bounds: &[u64], time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = bounds.partition_point(|bound| *bound * 1000 < micros);
        self.buckets[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(micros, Relaxed);
    }
}

/// Sum of histograms with the same bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSum {
    /// Bounds of the buckets, in milliseconds.
    pub bounds: &'static [u64],
    /// Cumulative counts: times up to each bound.
    pub within: Vec<u64>,
    /// Number of times.
    pub count: u64,
    /// Sum of all times, in microseconds.
    pub sum: u64,
}

impl HistogramSum {
    pub(super) fn new<'a>(bounds: &'static [u64], all: impl Iterator<Item = &'a Histogram>) -> Self {
        let mut buckets = [0; MAX_BUCKETS];
        let mut sum: u64 = 0;
        for one in all {
            for (total, bucket) in buckets.iter_mut().zip(&one.buckets) {
                *total += bucket.load(Relaxed);
            }
            sum = sum.wrapping_add(one.sum.load(Relaxed));
        }
        let mut count = 0;
        let mut within: Vec<u64> = Vec::with_capacity(MAX_BUCKETS);
        for bucket in &buckets[..=bounds.len()] {
            count += bucket;
            within.push(count);
        }
        within.pop();
        Self { bounds, within, count, sum }
    }

    /// Sum of all times, in milliseconds.
    #[must_use]
    pub fn sum_in_milliseconds(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact for nearly three hundred years")]
        let micros = self.sum as f64;
        micros / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bounds: &'static [u64], micros: &[u64], within: &[u64]) {
        let histograms = [Histogram::default(), Histogram::default()];
        for (n, time) in micros.iter().enumerate() {
            histograms[n % 2].observe(bounds, Duration::from_micros(*time));
        }
        let observed = HistogramSum::new(bounds, histograms.iter());
        assert_eq!(observed.within, within);
        assert_eq!(observed.count, micros.len() as u64);
        assert_eq!(observed.sum, micros.iter().sum::<u64>());
    }

    #[test]
    fn a_bucket_includes_its_bound() {
        check(&[1, 5], &[], &[0, 0]);
        check(&[1, 5], &[0, 999, 1000], &[3, 3]);
        check(&[1, 5], &[1001, 5000, 5001, 9_000_000], &[0, 2]);
        check(GATEWAY_BOUNDS, &[6_000_000, 6_000_001], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        check(LATENCY_BOUNDS, &[25_000, 60_000_000, 60_000_001], &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    }
}
