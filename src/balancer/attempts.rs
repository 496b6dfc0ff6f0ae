//! Attempts of one request: picks the peer of each, and records its outcome.

use std::{
    borrow::Cow,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderValue;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::{
    Balancer,
    health::{HealthEvent, HealthSource},
    peer::{PeerState, TargetPeer, clock},
};
use crate::{
    body::{Body, BodyError},
    dns::DnsResolver,
    entity::Algorithm,
    upstream::{self, AttemptOutcome, FailureCause, Peers, UpstreamOrigin},
};

/// Attempts of one request.
#[derive(Debug)]
pub struct Attempts<'a> {
    balancer: &'a Arc<Balancer>,
    resolver: &'a DnsResolver,
    origin: Cow<'a, UpstreamOrigin>,
    hash: u32,
    keeps_host: bool,
    /// Peer of the current attempt, and its start if the algorithm measures latency.
    current: Option<(Arc<TargetPeer>, Option<Instant>)>,
    /// Peers of failed attempts.
    failed: Vec<Arc<TargetPeer>>,
    in_flight: Option<InFlightGuard>,
    /// DNS answer whose address could not be reached.
    unreachable: Option<UnreachableAnswer>,
}

/// DNS answer of which an address refused a connection, or could not be reached.
#[derive(Debug)]
struct UnreachableAnswer {
    target: usize,
    name: String,
    age: Duration,
    /// Whether the name was looked up again for this request.
    is_refreshed: bool,
}

/// Guard that counts an open request of a peer until it is dropped.
#[derive(Debug)]
pub struct InFlightGuard(Arc<PeerState>);

impl<'a> Attempts<'a> {
    pub(super) fn new(
        balancer: &'a Arc<Balancer>,
        resolver: &'a DnsResolver,
        origin: &'a UpstreamOrigin,
        hash: u32,
        preserved_host: Option<&HeaderValue>,
    ) -> Self {
        let (current, failed, in_flight, keeps_host) = (None, Vec::new(), None, preserved_host.is_some());
        let origin = match preserved_host {
            Some(host) if origin.is_tls() => Cow::Owned(origin.with_server_name_of(host)),
            _ => Cow::Borrowed(origin),
        };
        let unreachable = None;
        Self { balancer, resolver, origin, hash, keeps_host, current, failed, in_flight, unreachable }
    }

    /// Address of the last attempt.
    #[must_use]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        let last = self.current.as_ref().map(|(peer, _)| peer).or(self.failed.last());
        last.map(|peer| peer.endpoint.address)
    }

    /// Note for the log about the DNS answer whose address could not be reached.
    #[must_use]
    pub fn answer_note(&self) -> Option<String> {
        let UnreachableAnswer { name, age, is_refreshed, .. } = self.unreachable.as_ref()?;
        let age = age.as_secs();
        Some(if *is_refreshed {
            format!(
                "the address was a cached answer of DNS for {name}, {age} s old; the name was looked up again, without an \
                 address that can be reached"
            )
        } else {
            format!("the address was a cached answer of DNS for {name}, {age} s old")
        })
    }

    /// Keeps the request counted as open until its response body ends, if the algorithm counts open requests.
    #[must_use]
    pub fn keep_open(self, body: Body) -> Body {
        match self.in_flight {
            Some(guard) if !http_body::Body::is_end_stream(&body) => {
                Body::boxed(InFlightBody { body, _guard: guard })
            }
            _ => body,
        }
    }

    fn pick(&self) -> Option<Arc<TargetPeer>> {
        let balancer = self.balancer;
        let pick = || balancer.ring.load().pick(&balancer.turn, self.hash, &self.failed).cloned();
        let peer = pick()?;
        if peer.is_healthy() {
            return Some(peer);
        }
        // Balancers before and after a reload share the state of a peer, so another one may have changed its health.
        balancer.handle_health_change();
        pick()
    }

    /// Picks a peer; looks the names up first if that is due.
    async fn next_peer(&self) -> Result<Arc<TargetPeer>, FailureCause> {
        let balancer = self.balancer;
        if balancer.claim_lookup() {
            if balancer.ring.load().peers.is_empty() {
                balancer.look_up_names(self.resolver).await;
            } else {
                let (balancer, resolver) = (balancer.clone(), self.resolver.clone());
                tokio::spawn(async move { balancer.look_up_names(&resolver).await });
            }
        }
        if let Some(peer) = self.pick() {
            return Ok(peer);
        }
        if balancer.is_unresolved() {
            // Another request looks the names up at the same time; the resolver shares the lookup.
            balancer.look_up_names(self.resolver).await;
        } else {
            balancer.refresh_unhealthy_names(self.resolver).await;
        }
        self.pick().ok_or_else(|| balancer.no_peer_cause())
    }

    /// Records the latency of an attempt, if the algorithm measures it.
    fn record_latency(peer: &TargetPeer, start: Option<Instant>, outcome: AttemptOutcome<'_>) {
        if let Some(start) = start {
            match outcome {
                Ok((_, latency)) => peer.state.latency.record(latency, clock()),
                Err(_) => peer.state.latency.record_failure(start.elapsed(), clock()),
            }
        }
    }
}

impl Peers for Attempts<'_> {
    async fn next(&mut self) -> Result<upstream::Peer, FailureCause> {
        if let Some(answer) = self.unreachable.as_mut().filter(|answer| !answer.is_refreshed) {
            answer.is_refreshed = true;
            self.balancer.refresh_name(self.resolver, answer.target).await;
        }
        let peer = self.next_peer().await?;
        if self.balancer.config.algorithm == Algorithm::LeastConnections {
            self.in_flight = Some(InFlightGuard::new(&peer.state));
        }
        let next = upstream::Peer {
            origin: self.origin.with_endpoint(&peer.endpoint, self.keeps_host),
            address: peer.endpoint.address,
            host: (!self.keeps_host).then(|| peer.host(self.origin.is_tls()).clone()),
        };
        let is_measured = self.balancer.config.algorithm == Algorithm::Latency;
        self.current = Some((peer, is_measured.then(Instant::now)));
        Ok(next)
    }

    fn report_outcome(&mut self, outcome: AttemptOutcome<'_>) {
        let Some((peer, start)) = self.current.take() else { return };
        Self::record_latency(&peer, start, outcome);
        if let Some(checks) = &self.balancer.config.checks
            && let Some(event) = health_event(outcome, &checks.passive.limits)
        {
            self.balancer.record_event(&peer, event, &checks.passive.limits, HealthSource::Request);
        }
        if let Err(FailureCause::Connect(_) | FailureCause::ConnectTimeout) = outcome
            && self.unreachable.is_none()
            && let Some((name, age)) = self.balancer.answer_age(peer.target)
        {
            let target = peer.target;
            self.unreachable = Some(UnreachableAnswer { target, name, age, is_refreshed: false });
        }
        if outcome.is_err() {
            self.failed.push(peer);
        } else {
            self.current = Some((peer, start));
        }
    }

    fn min_attempts(&self) -> usize {
        // For the targets of an Upstream, `retries` bounds the attempts; all addresses of one host count as one attempt,
        // those of a newer DNS answer included.
        if self.balancer.config.upstream.is_some() {
            return 1;
        }
        let is_stale = self.unreachable.as_ref().is_some_and(|answer| !answer.is_refreshed);
        let known = self.balancer.ring.load().peers.len();
        if is_stale { known.max(self.failed.len() + 1) } else { known }
    }
}

/// The health event of the outcome of an attempt, if it concerns the peer.
fn health_event(
    outcome: AttemptOutcome<'_>,
    limits: &crate::entity::HealthThresholds,
) -> Option<HealthEvent> {
    match outcome {
        Ok((status, _)) => HealthEvent::of_status(status.as_u16(), limits),
        Err(FailureCause::ConnectTimeout | FailureCause::WriteTimeout | FailureCause::ReadTimeout) => {
            Some(HealthEvent::Timeout)
        }
        // A failure of the client, or before a peer was picked.
        Err(FailureCause::RequestBody(_) | FailureCause::NameResolution(_) | FailureCause::NoPeer) => None,
        Err(_) => Some(HealthEvent::TcpFailure),
    }
}

impl InFlightGuard {
    fn new(state: &Arc<PeerState>) -> Self {
        state.open_requests.fetch_add(1, Ordering::Relaxed);
        Self(state.clone())
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.open_requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Response body during which the request counts as open.
#[derive(Debug)]
struct InFlightBody {
    body: Body,
    _guard: InFlightGuard,
}

impl http_body::Body for InFlightBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
