//! Counts of responses by status, and of bytes in both directions.

use std::{
    collections::BTreeMap,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::ResponseSource;

/// Counts of the 100 statuses of a class, such as 200 to 299, created on demand: most Routes use one or two classes.
type StatusClass = OnceLock<Box<[AtomicU64; 100]>>;

/// Counts of one thread.
#[derive(Debug, Default)]
pub(super) struct TrafficCounts {
    service: [StatusClass; 10],
    kong: [StatusClass; 10],
    ingress: AtomicU64,
    egress: AtomicU64,
}

impl TrafficCounts {
    /// Counts a response.
    pub(super) fn count_response(&self, status: u16, source: ResponseSource) {
        let classes = match source {
            ResponseSource::Service => &self.service,
            ResponseSource::Kong => &self.kong,
        };
        let (class, rest) = (usize::from(status / 100), usize::from(status % 100));
        if let Some(class) = classes.get(class) {
            let counts = class.get_or_init(|| Box::new([const { AtomicU64::new(0) }; 100]));
            counts[rest].fetch_add(1, Relaxed);
        }
    }

    /// Counts received and sent bytes.
    pub(super) fn count_bytes(&self, ingress: u64, egress: u64) {
        self.ingress.fetch_add(ingress, Relaxed);
        self.egress.fetch_add(egress, Relaxed);
    }

    /// Adds the counts by status to `sums`.
    pub(super) fn add_statuses(&self, sums: &mut BTreeMap<(u16, &'static str), u64>) {
        for (source, classes) in
            [(ResponseSource::Service, &self.service), (ResponseSource::Kong, &self.kong)]
        {
            for (class, counts) in (0..).zip(classes) {
                for (rest, count) in (0..).zip(counts.get().into_iter().flat_map(|counts| counts.iter())) {
                    let count: u64 = count.load(Relaxed);
                    if count > 0 {
                        *sums.entry((class * 100 + rest, source.name())).or_default() += count;
                    }
                }
            }
        }
    }

    /// Received and sent bytes.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.ingress.load(Relaxed), self.egress.load(Relaxed))
    }
}
