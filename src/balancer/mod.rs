//! Load balancer: picks the peer of a request among the targets of an Upstream or the addresses of a Service's host.
//!
//! A [`Balancer`] may outlive its Snapshot: a configuration with the same Upstream reuses it with its state. Requests read
//! an immutable ring and a few atomic numbers; a change of health or addresses builds a new ring.
//!
//! | part | content |
//! |---|---|
//! | `ring` | peers in use, and the algorithms that pick one |
//! | `weighted_round_robin`, `hash_ring`, `xxhash` | weighted round-robin; consistent hashing |
//! | `peer` | one address of a target, with its state |
//! | `health` | health of a peer, by counters |
//! | `hash` | input of the hash of a request |
//! | `attempts` | attempts of one request |
//! | `target_set` | targets, their names and addresses |
//! | `check`, `background_tasks` | active health checks; background tasks of an Upstream |
//! | `grpc_health` | health check over gRPC |
//! | `report` | state for the Admin API |

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

/// Load balancer of an Upstream, or of the host of a Service.
pub struct Balancer {
    config: BalancerConfig,
    ring: ArcSwap<PeerRing>,
    /// Counter of requests, for algorithms with turns.
    turn: AtomicUsize,
    target_set: Mutex<TargetSet>,
    /// Time of the next lookup of names, on the clock of `peer`.
    lookup_due: AtomicU64,
    /// Notified when the health of a peer changes.
    health_changed: Notify,
    /// The same, for the lookups of names.
    lookup_wanted: Notify,
}

/// Configuration of a balancer.
#[derive(Debug)]
struct BalancerConfig {
    /// Id of the Upstream; `None` for the host of a Service.
    upstream: Option<Uuid>,
    algorithm: Algorithm,
    hash_on: HashInput,
    hash_fallback: HashInput,
    slots: u32,
    host_header: Option<String>,
    use_srv_name: bool,
    checks: Option<Healthchecks>,
    /// TLS settings of active checks.
    check_tls: Arc<TlsSettings>,
    targets: Vec<TargetSpec>,
}

/// Configured target.
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
    /// A balancer for an Upstream with these targets. It takes the state of equal addresses from `before`.
    /// `check_tls` are the TLS settings of active checks.
    #[must_use]
    pub fn of_upstream<'a>(
        upstream: &Upstream,
        targets: impl Iterator<Item = &'a Target>,
        check_tls: Arc<TlsSettings>,
        before: Option<&Self>,
    ) -> Self {
        let spec = |target: &Target| TargetSpec {
            id: target.id.to_string(),
            text: target.target.clone(),
            host: target.host.clone(),
            port: target.port,
            weight: target.weight,
        };
        let config = BalancerConfig {
            upstream: Some(upstream.id),
            algorithm: match (upstream.algorithm, &upstream.hash_on) {
                // Without an input there is nothing to hash.
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
            targets: targets.map(spec).collect(),
        };
        Self::new(config, before)
    }

    /// A balancer for the host of a Service: a name, or an address without brackets.
    #[must_use]
    pub fn of_host(host: &str, port: u16) -> Self {
        let target =
            TargetSpec { id: String::new(), text: String::new(), host: host.to_owned(), port, weight: 100 };
        let config = BalancerConfig {
            upstream: None,
            algorithm: Algorithm::RoundRobin,
            hash_on: HashInput::None,
            hash_fallback: HashInput::None,
            slots: 0,
            host_header: None,
            use_srv_name: false,
            checks: None,
            check_tls: TlsSettings::trusting(),
            targets: vec![target],
        };
        Self::new(config, None)
    }

    fn new(config: BalancerConfig, before: Option<&Self>) -> Self {
        let target_set = TargetSet::new(&config, before.map(|before| before.target_set()).as_deref());
        let balancer = Self {
            ring: ArcSwap::from_pointee(PeerRing::default()),
            turn: AtomicUsize::new(0),
            lookup_due: AtomicU64::new(target_set.lookup_due()),
            target_set: Mutex::new(target_set),
            health_changed: Notify::new(),
            lookup_wanted: Notify::new(),
            config,
        };
        balancer.rebuild_ring(&mut balancer.target_set());
        balancer
    }

    /// Id of the Upstream; `None` for the host of a Service.
    #[must_use]
    pub const fn upstream(&self) -> Option<Uuid> {
        self.config.upstream
    }

    /// Host header for the first target, as far as it is known without DNS; `None` without a target.
    #[must_use]
    pub fn first_host(&self, tls: bool) -> Option<HeaderValue> {
        let target = self.config.targets.first()?;
        let address = SocketAddr::new(target.address().unwrap_or(Ipv4Addr::UNSPECIFIED.into()), target.port);
        let host = self.config.host_header.as_deref().unwrap_or(&target.host);
        Some(TargetPeer::new(0, address, host, 1, Arc::default()).host(tls).clone())
    }

    /// Whether a hash input is a capture of the Route's regular expression.
    #[must_use]
    pub const fn hashes_captures(&self) -> bool {
        matches!(self.config.hash_on, HashInput::UriCapture(_))
            || matches!(self.config.hash_fallback, HashInput::UriCapture(_))
    }

    /// Whether the balancer picks peers by a hash of the request.
    #[must_use]
    pub fn uses_hash(&self) -> bool {
        self.config.algorithm == Algorithm::ConsistentHashing
    }

    /// The hash of a request.
    #[must_use]
    pub fn hash(&self, request: &HashableRequest<'_>) -> RequestHash {
        RequestHash::of([&self.config.hash_on, &self.config.hash_fallback], request)
    }

    /// The attempts of one request, with the protocol and TLS settings of `origin`. Each peer gets its own Host, unless
    /// `preserved_host` replaces it.
    #[must_use]
    pub fn choose<'a>(
        self: &'a Arc<Self>,
        resolver: &'a DnsResolver,
        origin: &'a UpstreamOrigin,
        hash: &RequestHash,
        preserved_host: Option<&HeaderValue>,
    ) -> Attempts<'a> {
        Attempts::new(self, resolver, origin, hash.hash, preserved_host)
    }
}

impl fmt::Debug for Balancer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Balancer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl TargetSpec {
    /// IP address of the target, if its host is not a name.
    fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}
