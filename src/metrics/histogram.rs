//! How long something took, in buckets whose bounds never change.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Bounds for the time that the gateway itself takes, in milliseconds. (Kong: Prometheus plugin.)
pub(super) const GATEWAY_BOUNDS: &[u64] =
    &[1, 2, 5, 7, 10, 15, 20, 30, 50, 75, 100, 200, 500, 750, 1000, 3000, 6000];

/// Bounds for the time that upstreams take, and for the whole, in milliseconds. (Kong: Prometheus plugin.)
pub(super) const LATENCY_BOUNDS: &[u64] =
    &[25, 50, 80, 100, 250, 400, 700, 1000, 2000, 5000, 10_000, 30_000, 60_000];

/// The most buckets, with the one that has no bound.
const MOST: usize = GATEWAY_BOUNDS.len() + 1;

/// What was measured.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: [AtomicU64; MOST],
    /// All times, in microseconds.
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; MOST], sum: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Notes a time.
    pub(super) fn observe(&self, bounds: &[u64], time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let place = bounds.partition_point(|bound| *bound * 1000 < micros);
        self.buckets[place].fetch_add(1, Relaxed);
        self.sum.fetch_add(micros, Relaxed);
    }
}

/// What some histograms of the same bounds say together.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSum {
    /// The bounds of the buckets, in milliseconds.
    pub bounds: &'static [u64],
    /// How many took at most as long as each bound.
    pub within: Vec<u64>,
    /// How many there were.
    pub count: u64,
    /// How long all of them took, in microseconds.
    pub sum: u64,
}

impl HistogramSum {
    pub(super) fn new<'a>(bounds: &'static [u64], all: impl Iterator<Item = &'a Histogram>) -> Self {
        let mut buckets = [0; MOST];
        let mut sum: u64 = 0;
        for one in all {
            for (total, bucket) in buckets.iter_mut().zip(&one.buckets) {
                *total += bucket.load(Relaxed);
            }
            sum = sum.wrapping_add(one.sum.load(Relaxed));
        }
        let mut count = 0;
        let mut within: Vec<u64> = Vec::with_capacity(MOST);
        for bucket in &buckets[..=bounds.len()] {
            count += bucket;
            within.push(count);
        }
        within.pop();
        Self { bounds, within, count, sum }
    }

    /// How long all of them took, in milliseconds.
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
    fn a_bound_belongs_to_its_bucket() {
        check(&[1, 5], &[], &[0, 0]);
        check(&[1, 5], &[0, 999, 1000], &[3, 3]);
        check(&[1, 5], &[1001, 5000, 5001, 9_000_000], &[0, 2]);
        check(GATEWAY_BOUNDS, &[6_000_000, 6_000_001], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        check(LATENCY_BOUNDS, &[25_000, 60_000_000, 60_000_001], &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]);
    }
}
