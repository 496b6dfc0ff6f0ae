//! Targets of a balancer: looks up their names, and builds the ring of their addresses.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

use super::{
    Balancer, BalancerConfig, TargetSpec,
    health::{HealthEvent, HealthSource},
    peer::{PeerState, TargetPeer, clock},
    ring::PeerRing,
};
use crate::{
    dns::{DnsAnswer, DnsError, DnsResolver},
    entity::HealthThresholds,
    upstream::FailureCause,
};

/// Milliseconds between two lookups of a name, at least: the previous answer may still be pending.
const LOOKUP_PAUSE: u64 = 500;
/// Time that never comes.
const NEVER: u64 = u64::MAX;

/// State of the targets.
#[derive(Debug)]
pub(super) struct TargetSet {
    /// By index of the target; `None` for targets that are addresses.
    names: Vec<Option<TargetName>>,
    /// State of each address, by the host of its target.
    states: HashMap<(String, SocketAddr), Arc<PeerState>>,
}

/// Name of a target, with its last lookup.
#[derive(Clone, Debug)]
pub(super) struct TargetName {
    host: String,
    /// Result of the last lookup; `None` before the first one.
    pub(super) lookup: Option<Result<Arc<DnsAnswer>, DnsError>>,
}

impl TargetSet {
    pub(super) fn new(config: &BalancerConfig, before: Option<&Self>) -> Self {
        let known = |host: &str| {
            let names = before.into_iter().flat_map(|before| before.names.iter().flatten());
            names.filter(|name| name.host == host).find_map(|name| name.lookup.clone())
        };
        let name = |target: &TargetSpec| {
            let name = || TargetName { host: target.host.clone(), lookup: known(&target.host) };
            target.address().is_none().then(name)
        };
        Self {
            names: config.targets.iter().map(name).collect(),
            states: before.map(|before| before.states.clone()).unwrap_or_default(),
        }
    }

    /// The name of a target; `None` if it is an address.
    pub(super) fn name(&self, index: usize) -> Option<&TargetName> {
        self.names.get(index)?.as_ref()
    }

    /// Time of the first lookup, on the clock of peers: at once, or never without names.
    pub(super) fn lookup_due(&self) -> u64 {
        if self.names.iter().all(Option::is_none) { NEVER } else { 0 }
    }

    /// Peers for all addresses of targets with a weight.
    fn peers(&mut self, config: &BalancerConfig) -> Vec<Arc<TargetPeer>> {
        let mut states = HashMap::new();
        let mut peers = Vec::new();
        for (index, target) in config.targets.iter().enumerate().filter(|(_, target)| target.weight > 0) {
            for (address, weight, name) in self.addresses(index, target) {
                let key = (target.host.clone(), address);
                let state = self.states.get(&key).cloned().unwrap_or_default();
                states.insert(key, state.clone());
                let host = match (&config.host_header, name) {
                    (Some(header), _) => header,
                    (None, Some(name)) if config.use_srv_name => name,
                    (None, _) => target.host.as_str(),
                };
                peers.push(Arc::new(TargetPeer::new(index, address, host, weight, state)));
            }
        }
        self.states = states;
        peers
    }

    /// Addresses of a target, each with its weight and its name in an SRV record.
    fn addresses<'a>(
        &'a self,
        index: usize,
        target: &'a TargetSpec,
    ) -> Vec<(SocketAddr, u32, Option<&'a str>)> {
        if let Some(ip) = target.address() {
            return vec![(SocketAddr::new(ip, target.port), u32::from(target.weight), None)];
        }
        let Some(Ok(answer)) = self.name(index).and_then(|name| name.lookup.as_ref()) else {
            return Vec::new();
        };
        let address = |host: &'a crate::dns::ResolvedHost| match &host.service {
            None => (SocketAddr::new(host.ip, target.port), u32::from(target.weight), None),
            Some(srv) => (SocketAddr::new(host.ip, srv.port), u32::from(srv.weight), Some(&*srv.name)),
        };
        answer.hosts.iter().map(address).collect()
    }
}

impl Balancer {
    pub(super) fn target_set(&self) -> MutexGuard<'_, TargetSet> {
        // Each entry is consistent at any time.
        self.target_set.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Builds and stores a new ring from the present addresses and health.
    pub(super) fn rebuild_ring(&self, target_set: &mut TargetSet) {
        let peers = target_set.peers(&self.config);
        self.ring.store(Arc::new(PeerRing::new(
            self.config.algorithm,
            self.config.slots,
            peers,
            self.threshold(),
        )));
    }

    fn threshold(&self) -> f64 {
        self.config.checks.as_ref().map_or(0.0, |checks| checks.threshold)
    }

    /// Records an event of a peer, and rebuilds the ring if its health changes.
    pub(super) fn record_event(
        &self,
        peer: &TargetPeer,
        event: HealthEvent,
        limits: &HealthThresholds,
        source: HealthSource,
    ) {
        if peer.state.health.record(event, limits, source) {
            let (name, address) = (&peer.name, peer.endpoint.address);
            if peer.is_healthy() {
                tracing::info!("target {name} ({address}) is healthy again");
            } else {
                tracing::warn!("target {name} ({address}) is unhealthy: {event}, seen by a {source}");
            }
            self.handle_health_change();
        }
    }

    /// Rebuilds the ring and notifies the background tasks after a change of health.
    pub(super) fn handle_health_change(&self) {
        self.rebuild_ring(&mut self.target_set());
        self.health_changed.notify_one();
        self.lookup_wanted.notify_one();
    }

    /// Time until the next lookup of names; `None` without names.
    pub(super) fn time_to_lookup(&self) -> Option<Duration> {
        let due = self.lookup_due.load(Ordering::Acquire);
        (due != NEVER).then(|| Duration::from_millis(due.saturating_sub(clock())))
    }

    /// Whether a lookup of names is due. Of concurrent callers, only one gets true.
    pub(super) fn claim_lookup(&self) -> bool {
        let due = self.lookup_due.load(Ordering::Acquire);
        if due == NEVER || due > clock() {
            return false;
        }
        let later = clock() + LOOKUP_PAUSE;
        self.lookup_due.compare_exchange(due, later, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Looks the names up, and rebuilds the ring if addresses have changed.
    pub(super) async fn look_up_names(&self, resolver: &DnsResolver) {
        let names: Vec<(usize, String)> = {
            let target_set = self.target_set();
            let names = target_set.names.iter().enumerate();
            names.filter_map(|(index, name)| Some((index, name.as_ref()?.host.clone()))).collect()
        };
        let mut lookups = JoinSet::new();
        for (index, host) in names {
            let resolver = resolver.clone();
            lookups.spawn(async move { (index, resolver.resolve(&host).await) });
        }
        let mut results = Vec::with_capacity(lookups.len());
        let mut due = NEVER;
        while let Some(joined) = lookups.join_next().await {
            match joined {
                Ok(result) => results.push(result),
                // The name is looked up again soon.
                Err(error) => {
                    tracing::error!("the lookup of a target panicked: {error}");
                    due = clock() + LOOKUP_PAUSE;
                }
            }
        }
        let now = clock();
        let mut target_set = self.target_set();
        let mut has_changed = false;
        for (index, lookup) in results {
            let lifetime = match &lookup {
                Ok(answer) => answer.expires.saturating_duration_since(Instant::now()),
                Err(_) => Duration::ZERO,
            };
            // Half a second longer, so that the new answer is complete by then.
            let lifetime = u64::try_from(lifetime.as_millis()).unwrap_or(NEVER / 2);
            due = due.min(now + lifetime + LOOKUP_PAUSE);
            if let Some(Some(name)) = target_set.names.get_mut(index) {
                has_changed |= has_other_addresses(name.lookup.as_ref(), &lookup);
                name.lookup = Some(lookup);
            }
        }
        if has_changed {
            self.rebuild_ring(&mut target_set);
        }
        drop(target_set);
        self.lookup_due.store(due, Ordering::Release);
    }

    /// Looks the name of a target up again, of which an address cannot be reached, and rebuilds the ring if its addresses
    /// have changed. The resolver bounds the rate.
    pub(super) async fn refresh_name(&self, resolver: &DnsResolver, index: usize) {
        let known = {
            let target_set = self.target_set();
            let name = target_set.name(index);
            name.and_then(|name| Some((name.host.clone(), name.lookup.clone()?.ok()?)))
        };
        let Some((host, used)) = known else { return };
        let lookup = resolver.refresh(&host, used.looked_up).await;
        let lifetime = lookup
            .as_ref()
            .map_or(Duration::ZERO, |answer| answer.expires.saturating_duration_since(Instant::now()));
        let due = clock() + u64::try_from(lifetime.as_millis()).unwrap_or(NEVER / 2) + LOOKUP_PAUSE;
        let mut target_set = self.target_set();
        let mut has_changed = false;
        for name in target_set.names.iter_mut().flatten().filter(|name| name.host == host) {
            has_changed |= has_other_addresses(name.lookup.as_ref(), &lookup);
            name.lookup = Some(lookup.clone());
        }
        if has_changed {
            self.rebuild_ring(&mut target_set);
        }
        drop(target_set);
        self.lookup_due.fetch_min(due, Ordering::AcqRel);
        if has_changed {
            let age = used.looked_up.elapsed().as_secs();
            let found = match &lookup {
                Ok(answer) => answer.addresses(),
                Err(error) => error.to_string(),
            };
            tracing::info!(
                "{host} has an address that cannot be reached, and was looked up again: {found}; its DNS answer was {age} s \
                 old: {}",
                used.addresses()
            );
        }
    }

    /// Indexes of the targets that are names with an unhealthy address.
    pub(super) fn unhealthy_names(&self) -> Vec<usize> {
        let ring = self.ring.load();
        let unhealthy = ring.peers.iter().filter(|peer| !peer.is_healthy()).map(|peer| peer.target);
        let target_set = self.target_set();
        let mut targets: Vec<usize> = unhealthy.filter(|target| target_set.name(*target).is_some()).collect();
        targets.dedup();
        targets
    }

    /// Looks the names with an unhealthy address up again.
    pub(super) async fn refresh_unhealthy_names(&self, resolver: &DnsResolver) {
        for target in self.unhealthy_names() {
            self.refresh_name(resolver, target).await;
        }
    }

    /// Name of a target, and age of its addresses; `None` if it is an address.
    pub(super) fn answer_age(&self, index: usize) -> Option<(String, Duration)> {
        let target_set = self.target_set();
        let name = target_set.name(index)?;
        let answer = name.lookup.as_ref()?.as_ref().ok()?;
        Some((name.host.clone(), answer.looked_up.elapsed()))
    }

    /// Whether a name has not been looked up yet.
    pub(super) fn is_unresolved(&self) -> bool {
        self.target_set().names.iter().flatten().any(|name| name.lookup.is_none())
    }

    /// The cause of a failure without a peer.
    pub(super) fn no_peer_cause(&self) -> FailureCause {
        let target_set = self.target_set();
        match target_set.name(0).and_then(|name| name.lookup.clone()) {
            Some(Err(error)) if self.config.upstream.is_none() => FailureCause::NameResolution(error.into()),
            _ => FailureCause::NoPeer,
        }
    }
}

/// Whether two lookups of a name differ in their addresses.
fn has_other_addresses(
    before: Option<&Result<Arc<DnsAnswer>, DnsError>>,
    after: &Result<Arc<DnsAnswer>, DnsError>,
) -> bool {
    match (before, after) {
        (Some(Ok(before)), Ok(after)) => before.hosts != after.hosts,
        (None | Some(Err(_)), Err(_)) => false,
        _ => true,
    }
}
