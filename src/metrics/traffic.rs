//! Answers by their status, and bytes in and out.

use std::{
    collections::BTreeMap,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::ResponseSource;

/// A hundred statuses, such as 200 to 299; most Routes only ever see one or two of these.
type StatusClass = OnceLock<Box<[AtomicU64; 100]>>;

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct TrafficCounts {
    service: [StatusClass; 10],
    kong: [StatusClass; 10],
    ingress: AtomicU64,
    egress: AtomicU64,
}

impl TrafficCounts {
    /// Counts an answer.
    pub(super) fn answered(&self, status: u16, source: ResponseSource) {
        let hundreds = match source {
            ResponseSource::Service => &self.service,
            ResponseSource::Kong => &self.kong,
        };
        let (hundred, rest) = (usize::from(status / 100), usize::from(status % 100));
        if let Some(hundred) = hundreds.get(hundred) {
            let counts = hundred.get_or_init(|| Box::new([const { AtomicU64::new(0) }; 100]));
            counts[rest].fetch_add(1, Relaxed);
        }
    }

    /// Counts bytes in and out.
    pub(super) fn moved(&self, ingress: u64, egress: u64) {
        self.ingress.fetch_add(ingress, Relaxed);
        self.egress.fetch_add(egress, Relaxed);
    }

    /// Adds up how often each status was seen.
    pub(super) fn statuses(&self, sums: &mut BTreeMap<(u16, &'static str), u64>) {
        for (source, hundreds) in
            [(ResponseSource::Service, &self.service), (ResponseSource::Kong, &self.kong)]
        {
            for (hundred, counts) in (0..).zip(hundreds) {
                for (rest, count) in (0..).zip(counts.get().into_iter().flat_map(|it| it.iter())) {
                    let count: u64 = count.load(Relaxed);
                    if count > 0 {
                        *sums.entry((hundred * 100 + rest, source.name())).or_default() += count;
                    }
                }
            }
        }
    }

    /// Bytes in and out.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.ingress.load(Relaxed), self.egress.load(Relaxed))
    }
}
