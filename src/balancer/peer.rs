//! Peer: one address of a target, with its health, open requests and latency.

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

/// Peer: one address of a target.
#[derive(Debug)]
pub(super) struct TargetPeer {
    /// Index of the target.
    pub(super) target: usize,
    /// Name in the Host header, without a port.
    pub(super) name: Arc<str>,
    pub(super) endpoint: Endpoint,
    /// Weight among the peers; never 0.
    pub(super) weight: u32,
    pub(super) state: Arc<PeerState>,
    /// Host header without and with TLS.
    hosts: [HeaderValue; 2],
}

/// State of a peer. A new peer with the same name and address takes it over.
#[derive(Debug, Default)]
pub(super) struct PeerState {
    pub(super) health: PeerHealth,
    /// Number of open requests; counted only for the algorithm least-connections.
    pub(super) open_requests: AtomicU32,
    pub(super) latency: LatencyAverage,
}

impl TargetPeer {
    /// `host` is the value of the Host header: a name or an address, with an optional port.
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
            endpoint: Endpoint::new(address, name),
            weight,
            state,
            hosts: [value(Scheme::Http), value(Scheme::Https)],
        }
    }

    /// Host header for the peer, with a port if it is not the default one.
    pub(super) const fn host(&self, tls: bool) -> &HeaderValue {
        if tls { &self.hosts[1] } else { &self.hosts[0] }
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.state.health.is_healthy()
    }
}

/// Latency of a peer: a moving average with exponential decay, which follows peaks at once.
#[derive(Debug, Default)]
pub(super) struct LatencyAverage {
    /// Seconds, as the bits of an `f64`.
    average: AtomicU64,
    /// Time of the last measurement, on [`clock`].
    measured_at: AtomicU64,
}

/// Seconds after which a measurement counts for 1/e, about a third. (Kong: algorithm `latency`.)
const DECAY: f64 = 10.0;
/// Least latency that a failed attempt counts for.
const FAILURE_LATENCY: Duration = Duration::from_secs(1);

impl LatencyAverage {
    /// The present average in seconds. It decays while nothing is measured, so that a slow peer is tried again.
    pub(super) fn average(&self, now: u64) -> f64 {
        let elapsed = now.saturating_sub(self.measured_at.load(Ordering::Relaxed));
        f64::from_bits(self.average.load(Ordering::Relaxed)) * decay_factor(elapsed)
    }

    /// Records a latency. Of two concurrent measurements one may be lost, which hardly changes the average.
    pub(super) fn record(&self, latency: Duration, now: u64) {
        let seconds = latency.as_secs_f64();
        let previous = f64::from_bits(self.average.load(Ordering::Relaxed));
        let factor = decay_factor(now.saturating_sub(self.measured_at.load(Ordering::Relaxed)));
        let average = if seconds > previous { seconds } else { previous * factor + seconds * (1.0 - factor) };
        self.average.store(average.to_bits(), Ordering::Relaxed);
        self.measured_at.store(now, Ordering::Relaxed);
    }

    /// Records a failed attempt.
    pub(super) fn record_failure(&self, latency: Duration, now: u64) {
        self.record(latency.max(FAILURE_LATENCY), now);
    }
}

/// Milliseconds since the first call.
pub(super) fn clock() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Weight of an average after some milliseconds.
fn decay_factor(elapsed: u64) -> f64 {
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
    fn the_host_header_has_a_port_unless_it_is_the_default() {
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
        let milliseconds = |seconds: f64| (seconds * 1000.0).round();
        let check = |now: u64, expected: f64| {
            assert!((milliseconds(latency.average(now)) - expected).abs() < 0.5, "{}", latency.average(now));
        };
        check(0, 0.0);
        latency.record(Duration::from_millis(100), 0);
        check(0, 100.0);
        check(10_000, 37.0);
        latency.record(Duration::from_millis(20), 10_000);
        check(10_000, 49.0);
        latency.record(Duration::from_millis(300), 10_001);
        check(10_001, 300.0);
        latency.record_failure(Duration::from_millis(1), 10_001);
        check(10_001, 1000.0);
    }
}
