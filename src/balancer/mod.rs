//! WHERE: picks the peer of a request, among the targets of an Upstream or the addresses of a Service's host.
//!
//! A [`Balancer`] outlives the Snapshot that it was made for: a configuration in which its Upstream is the same takes
//! it over, with all that it knows. Requests read a finished ring and a few atomic numbers; who changes something
//! makes a new ring.
//!
//! | part | what it is for |
//! |---|---|
//! | [`ring`] | who takes part now, and how one is picked |
//! | [`weighted_round_robin`], [`hash_ring`], [`xxhash`] | round-robin by weight; consistent hashing |
//! | [`peer`] | one address of a target, and what is known about it |
//! | [`health`] | whether it works |
//! | [`hash`] | what of a request is hashed |
//! | [`attempts`] | the tries of one request |
//! | [`target_set`] | names become addresses, addresses become a ring |
//! | [`check`], [`background_tasks`] | asking the targets again and again; what runs for an Upstream |
//! | [`grpc_health`] | the question that servers of gRPC are asked |
//! | [`report`] | its state for the Admin API |

mod attempts;
mod background_tasks;
mod check;
mod grpc_health;
mod hash;
mod hash_ring;
mod health;
mod peer;
mod report;
mod ring;
mod target_set;
#[cfg(test)]
mod tests;
mod weighted_round_robin;
mod xxhash;

pub use attempts::{Attempts, InFlightGuard};
pub use background_tasks::BackgroundTasks;
pub use hash::{HashableRequest, RequestHash};
pub use health::{HealthEvent, HealthSource};
pub use report::{AddressReport, ReportedHealth, SetHealthError, TargetReport};

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize},
    },
};

use arc_swap::ArcSwap;
use http::HeaderValue;
use tokio::sync::Notify;
use uuid::Uuid;

use self::{peer::TargetPeer, ring::PeerRing, target_set::TargetSet};
use crate::{
    dns::DnsResolver,
    entity::{Algorithm, HashInput, Healthchecks, Target, Upstream},
    upstream::{TlsSettings, UpstreamOrigin},
};

/// Picks the peers of requests.
pub struct Balancer {
    plan: BalancerConfig,
    ring: ArcSwap<PeerRing>,
    /// Counts requests.
    turn: AtomicUsize,
    roster: Mutex<TargetSet>,
    /// When the names should be looked up again, on the clock of `peer`.
    due: AtomicU64,
    /// Tells that a peer went down or came back.
    turned: Notify,
}

/// What a balancer was told.
#[derive(Debug)]
struct BalancerConfig {
    /// The id of the Upstream; none for the host of a Service.
    upstream: Option<Uuid>,
    algorithm: Algorithm,
    hash_on: HashInput,
    hash_fallback: HashInput,
    slots: u32,
    host_header: Option<String>,
    use_srv_name: bool,
    checks: Option<Healthchecks>,
    /// How TLS is spoken in checks.
    check_tls: Arc<TlsSettings>,
    seats: Vec<TargetSpec>,
}

/// A target, as the balancer needs it.
#[derive(Debug)]
struct TargetSpec {
    id: String,
    /// `host:port`.
    text: String,
    host: String,
    port: u16,
    weight: u16,
}

impl Balancer {
    /// One for an Upstream with these targets, which knows what `before` knows of the same addresses. `check_tls` is
    /// how TLS is spoken in its checks.
    #[must_use]
    pub fn of_upstream<'a>(
        upstream: &Upstream,
        targets: impl Iterator<Item = &'a Target>,
        check_tls: Arc<TlsSettings>,
        before: Option<&Self>,
    ) -> Self {
        let seat = |it: &Target| TargetSpec {
            id: it.id.to_string(),
            text: it.target.clone(),
            host: it.host.clone(),
            port: it.port,
            weight: it.weight,
        };
        let plan = BalancerConfig {
            upstream: Some(upstream.id),
            algorithm: match (upstream.algorithm, &upstream.hash_on) {
                // There is nothing to hash.
                (Algorithm::ConsistentHashing, HashInput::None) => Algorithm::RoundRobin,
                (algorithm, _) => algorithm,
            },
            hash_on: upstream.hash_on.clone(),
            hash_fallback: upstream.hash_fallback.clone(),
            slots: upstream.slots,
            host_header: upstream.host_header.clone(),
            use_srv_name: upstream.use_srv_name,
            checks: Some(upstream.healthchecks.clone()),
            check_tls,
            seats: targets.map(seat).collect(),
        };
        Self::new(plan, before)
    }

    /// One for the host of a Service: a name, or an address without brackets.
    #[must_use]
    pub fn of_host(host: &str, port: u16) -> Self {
        let seat =
            TargetSpec { id: String::new(), text: String::new(), host: host.to_owned(), port, weight: 100 };
        let plan = BalancerConfig {
            upstream: None,
            algorithm: Algorithm::RoundRobin,
            hash_on: HashInput::None,
            hash_fallback: HashInput::None,
            slots: 0,
            host_header: None,
            use_srv_name: false,
            checks: None,
            check_tls: TlsSettings::trusting(),
            seats: vec![seat],
        };
        Self::new(plan, None)
    }

    fn new(plan: BalancerConfig, before: Option<&Self>) -> Self {
        let roster = TargetSet::new(&plan, before.map(|it| it.roster()).as_deref());
        let balancer = Self {
            ring: ArcSwap::from_pointee(PeerRing::default()),
            turn: AtomicUsize::new(0),
            due: AtomicU64::new(roster.due()),
            roster: Mutex::new(roster),
            turned: Notify::new(),
            plan,
        };
        balancer.renew_ring(&mut balancer.roster());
        balancer
    }

    /// The id of its Upstream; none for the host of a Service.
    #[must_use]
    pub const fn upstream(&self) -> Option<Uuid> {
        self.plan.upstream
    }

    /// The Host that its first target sees, as far as it is known without any DNS; none without a target.
    #[must_use]
    pub fn first_host(&self, tls: bool) -> Option<HeaderValue> {
        let seat = self.plan.seats.first()?;
        let address = SocketAddr::new(seat.address().unwrap_or(Ipv4Addr::UNSPECIFIED.into()), seat.port);
        let host = self.plan.host_header.as_deref().unwrap_or(&seat.host);
        Some(TargetPeer::new(0, address, host, 1, Arc::default()).host(tls).clone())
    }

    /// Whether it has to be told what the Route's expression caught.
    #[must_use]
    pub const fn hashes_captures(&self) -> bool {
        matches!(self.plan.hash_on, HashInput::UriCapture(_))
            || matches!(self.plan.hash_fallback, HashInput::UriCapture(_))
    }

    /// Whether the answer to a request depends on what it is asked.
    #[must_use]
    pub fn hashes(&self) -> bool {
        self.plan.algorithm == Algorithm::ConsistentHashing
    }

    /// The hash of a request.
    #[must_use]
    pub fn hash(&self, asked: &HashableRequest<'_>) -> RequestHash {
        RequestHash::of([&self.plan.hash_on, &self.plan.hash_fallback], asked)
    }

    /// The tries of one request, which are made with the manners of `origin`. Peers see their own Host, unless the
    /// request keeps this one.
    #[must_use]
    pub fn choose<'a>(
        self: &'a Arc<Self>,
        resolver: &'a DnsResolver,
        origin: &'a UpstreamOrigin,
        hashed: &RequestHash,
        kept_host: Option<&HeaderValue>,
    ) -> Attempts<'a> {
        Attempts::new(self, resolver, origin, hashed.hash, kept_host)
    }
}

impl fmt::Debug for Balancer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Balancer").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl TargetSpec {
    /// Its address, if it is one and not a name.
    fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}
