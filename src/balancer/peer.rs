//! One address of a target, and what is known about it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::HeaderValue;

use super::health::PeerHealth;
use crate::{
    upstream::Endpoint,
    uri::{Authority, Scheme, with_brackets},
};

/// One address of a target.
#[derive(Debug)]
pub(super) struct TargetPeer {
    /// Which of the targets, by its place.
    pub(super) target: usize,
    /// Its name, as the Host header says it (without a port).
    pub(super) name: Arc<str>,
    pub(super) place: Endpoint,
    /// Its part of the traffic beside the others; never 0.
    pub(super) weight: u32,
    pub(super) state: Arc<PeerState>,
    /// The Host that it sees, over TLS and without.
    hosts: [HeaderValue; 2],
}

/// What is known about a peer; it outlives the peer where a new one stands for the same address of the same name.
#[derive(Debug, Default)]
pub(super) struct PeerState {
    pub(super) health: PeerHealth,
    /// How many exchanges are under way; counted for least-connections only.
    pub(super) open: AtomicU32,
    pub(super) latency: LatencyAverage,
}

impl TargetPeer {
    /// `host` is what the Host header says: a name, or an address, perhaps with a port of its own.
    pub(super) fn new(
        target: usize,
        address: SocketAddr,
        host: &str,
        weight: u32,
        state: Arc<PeerState>,
    ) -> Self {
        let authority = Authority::split(host);
        let name = authority.host();
        let value = |scheme: Scheme| {
            let port = address.port();
            let text = if authority.port_text().is_some() {
                host.to_owned()
            } else if port == scheme.default_port() {
                with_brackets(host).into_owned()
            } else {
                format!("{}:{port}", with_brackets(host))
            };
            HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
        };
        Self {
            target,
            name: name.into(),
            place: Endpoint::new(address, name),
            weight,
            state,
            hosts: [value(Scheme::Http), value(Scheme::Https)],
        }
    }

    /// The Host that it sees; a port is said if it is not the usual one.
    pub(super) const fn host(&self, tls: bool) -> &HeaderValue {
        if tls { &self.hosts[1] } else { &self.hosts[0] }
    }

    pub(super) fn works(&self) -> bool {
        self.state.health.works()
    }
}

/// How long a peer takes: a moving average in which the past counts for less and less, and peaks at once.
#[derive(Debug, Default)]
pub(super) struct LatencyAverage {
    /// Seconds, as the bits of an `f64`.
    average: AtomicU64,
    /// Milliseconds from the first measurement of the process to the last one here.
    at: AtomicU64,
}

/// After this time what was measured counts for a third. (Kong: algorithm `latency`.)
const DECAY: f64 = 10.0;
/// A try that fails is as bad as one that takes this long.
const FAILED: Duration = Duration::from_secs(1);

impl LatencyAverage {
    /// The average by now, in seconds; it falls while nothing is measured, so that a slow peer gets another chance.
    pub(super) fn now(&self, now: u64) -> f64 {
        let elapsed = now.saturating_sub(self.at.load(Ordering::Relaxed));
        f64::from_bits(self.average.load(Ordering::Relaxed)) * past(elapsed)
    }

    /// Takes in a measurement. Two at the same time may lose one of them, which a moving average can bear.
    pub(super) fn measure(&self, took: Duration, now: u64) {
        let seconds = took.as_secs_f64();
        let average = f64::from_bits(self.average.load(Ordering::Relaxed));
        let past = past(now.saturating_sub(self.at.load(Ordering::Relaxed)));
        let average = if seconds > average { seconds } else { average * past + seconds * (1.0 - past) };
        self.average.store(average.to_bits(), Ordering::Relaxed);
        self.at.store(now, Ordering::Relaxed);
    }

    pub(super) fn fail(&self, took: Duration, now: u64) {
        self.measure(took.max(FAILED), now);
    }
}

/// Milliseconds since the first call.
pub(super) fn clock() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// How much of the past counts after some milliseconds.
fn past(elapsed: u64) -> f64 {
    (-Duration::from_millis(elapsed).as_secs_f64() / DECAY).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, port: u16, plain: &str, tls: &str) {
        let peer = TargetPeer::new(0, SocketAddr::from(([10, 0, 0, 1], port)), host, 1, Arc::default());
        assert_eq!([peer.host(false), peer.host(true)], [plain, tls], "{host} {port}");
    }

    #[test]
    fn a_peer_sees_its_name_and_a_port_that_is_not_usual() {
        check("a.test", 80, "a.test", "a.test:80");
        check("a.test", 443, "a.test:443", "a.test");
        check("a.test", 8000, "a.test:8000", "a.test:8000");
        check("a.test:81", 8000, "a.test:81", "a.test:81");
        check("::1", 80, "[::1]", "[::1]:80");
        check("[::1]", 81, "[::1]:81", "[::1]:81");
        check("[::1]:5", 81, "[::1]:5", "[::1]:5");
    }

    #[test]
    fn an_average_rises_at_once_and_falls_slowly() {
        let latency = LatencyAverage::default();
        let milliseconds = |it: f64| (it * 1000.0).round();
        let check = |now: u64, expected: f64| {
            assert!((milliseconds(latency.now(now)) - expected).abs() < 0.5, "{}", latency.now(now));
        };
        check(0, 0.0);
        latency.measure(Duration::from_millis(100), 0);
        check(0, 100.0);
        check(10_000, 37.0);
        latency.measure(Duration::from_millis(20), 10_000);
        check(10_000, 49.0);
        latency.measure(Duration::from_millis(300), 10_001);
        check(10_001, 300.0);
        latency.fail(Duration::from_millis(1), 10_001);
        check(10_001, 1000.0);
    }
}
