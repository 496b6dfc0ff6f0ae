//! The tries of one request: where each goes, and what comes of it.

use std::{
    borrow::Cow,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
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
    upstream::{self, FailureCause, Peers, TryOutcome, UpstreamOrigin},
};

/// The tries of one request.
#[derive(Debug)]
pub struct Attempts<'a> {
    balancer: &'a Arc<Balancer>,
    resolver: &'a DnsResolver,
    origin: Cow<'a, UpstreamOrigin>,
    hash: u32,
    keep_host: bool,
    /// The peer of the try that is under way, and when it began, if its algorithm asks.
    current: Option<(Arc<TargetPeer>, Option<Instant>)>,
    /// Those that failed.
    tried: Vec<Arc<TargetPeer>>,
    open: Option<InFlightGuard>,
}

/// An exchange that is under way counts for its peer until this is dropped.
#[derive(Debug)]
pub struct InFlightGuard(Arc<PeerState>);

impl<'a> Attempts<'a> {
    pub(super) fn new(
        balancer: &'a Arc<Balancer>,
        resolver: &'a DnsResolver,
        origin: &'a UpstreamOrigin,
        hash: u32,
        kept_host: Option<&HeaderValue>,
    ) -> Self {
        let (current, tried, open, keep_host) = (None, Vec::new(), None, kept_host.is_some());
        let origin = match kept_host {
            Some(host) if origin.is_tls() => Cow::Owned(origin.named(host)),
            _ => Cow::Borrowed(origin),
        };
        Self { balancer, resolver, origin, hash, keep_host, current, tried, open }
    }

    /// The address of the last try.
    #[must_use]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        let last = self.current.as_ref().map(|(peer, _)| peer).or(self.tried.last());
        last.map(|it| it.place.address)
    }

    /// What counts as under way for the peer that answered, if its algorithm counts: for as long as its body lasts.
    #[must_use]
    pub fn hold(self, body: Body) -> Body {
        match self.open {
            Some(open) if !http_body::Body::is_end_stream(&body) => {
                Body::boxed(InFlightBody { body, _open: open })
            }
            _ => body,
        }
    }

    fn pick(&self) -> Option<Arc<TargetPeer>> {
        let balancer = self.balancer;
        let pick = || balancer.ring.load().pick(&balancer.turn, self.hash, &self.tried).cloned();
        let peer = pick()?;
        if peer.works() {
            return Some(peer);
        }
        // What is known about a peer is shared by the balancers before and after a reload: another one turned it over.
        balancer.turned_over();
        pick()
    }

    async fn find(&self) -> Result<Arc<TargetPeer>, FailureCause> {
        let balancer = self.balancer;
        if balancer.takes_lookup() {
            if balancer.ring.load().peers.is_empty() {
                balancer.look_up(self.resolver).await;
            } else {
                let (balancer, resolver) = (balancer.clone(), self.resolver.clone());
                tokio::spawn(async move { balancer.look_up(&resolver).await });
            }
        }
        if let Some(peer) = self.pick() {
            return Ok(peer);
        }
        if balancer.is_unresolved() {
            // Someone else looks the names up, and will be done at about the same time.
            balancer.look_up(self.resolver).await;
        }
        self.pick().ok_or_else(|| balancer.nobody())
    }

    /// Takes in how long a try took, if that is asked.
    fn measure(peer: &TargetPeer, began: Option<Instant>, outcome: TryOutcome<'_>) {
        if let Some(began) = began {
            match outcome {
                Ok((_, took)) => peer.state.latency.measure(took, clock()),
                Err(_) => peer.state.latency.fail(began.elapsed(), clock()),
            }
        }
    }
}

impl Peers for Attempts<'_> {
    async fn next(&mut self) -> Result<upstream::Peer, FailureCause> {
        let peer = self.find().await?;
        if self.balancer.plan.algorithm == Algorithm::LeastConnections {
            self.open = Some(InFlightGuard::new(&peer.state));
        }
        let found = upstream::Peer {
            origin: self.origin.at(&peer.place, self.keep_host),
            address: peer.place.address,
            host: (!self.keep_host).then(|| peer.host(self.origin.is_tls()).clone()),
        };
        let measured = self.balancer.plan.algorithm == Algorithm::Latency;
        self.current = Some((peer, measured.then(Instant::now)));
        Ok(found)
    }

    fn ended(&mut self, outcome: TryOutcome<'_>) {
        let Some((peer, began)) = self.current.take() else { return };
        Self::measure(&peer, began, outcome);
        if let Some(checks) = &self.balancer.plan.checks
            && let Some(event) = event(outcome, &checks.passive.limits)
        {
            self.balancer.count(&peer, event, &checks.passive.limits, HealthSource::Request);
        }
        if outcome.is_err() {
            self.tried.push(peer);
        } else {
            self.current = Some((peer, began));
        }
    }

    fn width(&self) -> usize {
        // The targets of an Upstream are tried as often as `retries` say; the addresses of one host are one target.
        if self.balancer.plan.upstream.is_some() { 1 } else { self.balancer.ring.load().peers.len() }
    }
}

/// What the end of a try says about its peer.
fn event(outcome: TryOutcome<'_>, limits: &crate::entity::HealthThresholds) -> Option<HealthEvent> {
    match outcome {
        Ok((status, _)) => HealthEvent::of_status(status.as_u16(), limits),
        Err(FailureCause::ConnectTimeout | FailureCause::WriteTimeout | FailureCause::ReadTimeout) => {
            Some(HealthEvent::Timeout)
        }
        // The client's, or nobody's.
        Err(FailureCause::RequestBody(_) | FailureCause::NameResolution(_) | FailureCause::NoPeer) => None,
        Err(_) => Some(HealthEvent::TcpFailure),
    }
}

impl InFlightGuard {
    fn new(state: &Arc<PeerState>) -> Self {
        state.open.fetch_add(1, Ordering::Relaxed);
        Self(state.clone())
    }
}

impl Drop for InFlightGuard {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body, during which an exchange is under way.
#[derive(Debug)]
struct InFlightBody {
    body: Body,
    _open: InFlightGuard,
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
