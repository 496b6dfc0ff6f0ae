//! Names become addresses, addresses become a ring.

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

/// A name is looked up no sooner than this after the last time: the answer may still be on its way.
const PAUSE: u64 = 500;
/// The time of what never has to be done.
const NEVER: u64 = u64::MAX;

/// What is known about the targets.
#[derive(Debug)]
pub(super) struct TargetSet {
    /// By the places of the targets; none for those that are addresses.
    names: Vec<Option<TargetName>>,
    /// What is known about addresses, by the name of their target.
    states: HashMap<(String, SocketAddr), Arc<PeerState>>,
}

/// What a target's name stands for.
#[derive(Clone, Debug)]
pub(super) struct TargetName {
    host: String,
    /// None before the first lookup.
    pub(super) found: Option<Result<Arc<DnsAnswer>, DnsError>>,
}

impl TargetSet {
    pub(super) fn new(plan: &BalancerConfig, before: Option<&Self>) -> Self {
        let known = |host: &str| {
            let names = before.into_iter().flat_map(|it| it.names.iter().flatten());
            names.filter(|it| it.host == host).find_map(|it| it.found.clone())
        };
        let name = |seat: &TargetSpec| {
            let name = || TargetName { host: seat.host.clone(), found: known(&seat.host) };
            seat.address().is_none().then(name)
        };
        Self {
            names: plan.seats.iter().map(name).collect(),
            states: before.map(|it| it.states.clone()).unwrap_or_default(),
        }
    }

    /// What is known about the name of a target.
    pub(super) fn name(&self, place: usize) -> Option<&TargetName> {
        self.names.get(place)?.as_ref()
    }

    /// When the names should be looked up, on the clock of peers: at once, or never if there are none.
    pub(super) fn due(&self) -> u64 {
        if self.names.iter().all(Option::is_none) { NEVER } else { 0 }
    }

    /// Those who take part.
    fn peers(&mut self, plan: &BalancerConfig) -> Vec<Arc<TargetPeer>> {
        let mut states = HashMap::new();
        let mut peers = Vec::new();
        for (n, seat) in plan.seats.iter().enumerate().filter(|(_, seat)| seat.weight > 0) {
            for (address, weight, name) in self.places(n, seat) {
                let key = (seat.host.clone(), address);
                let state = self.states.get(&key).cloned().unwrap_or_default();
                states.insert(key, state.clone());
                let host = match (&plan.host_header, name) {
                    (Some(header), _) => header,
                    (None, Some(name)) if plan.use_srv_name => name,
                    (None, _) => seat.host.as_str(),
                };
                peers.push(Arc::new(TargetPeer::new(n, address, host, weight, state)));
            }
        }
        self.states = states;
        peers
    }

    /// The addresses of a target, each with its weight, and the name that an SRV record gives it.
    fn places<'a>(&'a self, n: usize, seat: &'a TargetSpec) -> Vec<(SocketAddr, u32, Option<&'a str>)> {
        if let Some(ip) = seat.address() {
            return vec![(SocketAddr::new(ip, seat.port), u32::from(seat.weight), None)];
        }
        let Some(Ok(answer)) = self.name(n).and_then(|it| it.found.as_ref()) else { return Vec::new() };
        let place = |host: &'a crate::dns::ResolvedHost| match &host.service {
            None => (SocketAddr::new(host.ip, seat.port), u32::from(seat.weight), None),
            Some(it) => (SocketAddr::new(host.ip, it.port), u32::from(it.weight), Some(&*it.name)),
        };
        answer.hosts.iter().map(place).collect()
    }
}

impl Balancer {
    pub(super) fn roster(&self) -> MutexGuard<'_, TargetSet> {
        // Every entry is whole at any time.
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the ring of those who take part and work now.
    pub(super) fn renew_ring(&self, roster: &mut TargetSet) {
        let peers = roster.peers(&self.plan);
        self.ring.store(Arc::new(PeerRing::new(
            self.plan.algorithm,
            self.plan.slots,
            peers,
            self.threshold(),
        )));
    }

    fn threshold(&self) -> f64 {
        self.plan.checks.as_ref().map_or(0.0, |it| it.threshold)
    }

    /// Counts what was seen of a peer, and makes a new ring if its state turned over.
    pub(super) fn count(
        &self,
        peer: &TargetPeer,
        event: HealthEvent,
        limits: &HealthThresholds,
        witness: HealthSource,
    ) {
        if peer.state.health.count(event, limits, witness) {
            let (name, address) = (&peer.name, peer.place.address);
            if peer.works() {
                tracing::info!("target {name} ({address}) is healthy again");
            } else {
                tracing::warn!("target {name} ({address}) is unhealthy: {event}, seen by a {witness}");
            }
            self.turned_over();
        }
    }

    pub(super) fn turned_over(&self) {
        self.renew_ring(&mut self.roster());
        self.turned.notify_one();
    }

    /// When the names should be looked up again; none if there are no names.
    pub(super) fn next_lookup(&self) -> Option<Duration> {
        let due = self.due.load(Ordering::Acquire);
        (due != NEVER).then(|| Duration::from_millis(due.saturating_sub(clock())))
    }

    /// Whether the names should be looked up by now; true for one of those who ask at the same time.
    pub(super) fn takes_lookup(&self) -> bool {
        let due = self.due.load(Ordering::Acquire);
        if due == NEVER || due > clock() {
            return false;
        }
        let later = clock() + PAUSE;
        self.due.compare_exchange(due, later, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Looks the names up, and makes a new ring if one of them stands for something else.
    pub(super) async fn look_up(&self, resolver: &DnsResolver) {
        let names: Vec<(usize, String)> = {
            let roster = self.roster();
            let names = roster.names.iter().enumerate();
            names.filter_map(|(n, name)| Some((n, name.as_ref()?.host.clone()))).collect()
        };
        let mut lookups = JoinSet::new();
        for (n, host) in names {
            let resolver = resolver.clone();
            lookups.spawn(async move { (n, resolver.resolve(&host).await) });
        }
        let mut found = Vec::with_capacity(lookups.len());
        let mut due = NEVER;
        while let Some(looked_up) = lookups.join_next().await {
            match looked_up {
                Ok(looked_up) => found.push(looked_up),
                // It is looked up again soon.
                Err(error) => {
                    tracing::error!("the lookup of a target stopped half-way: {error}");
                    due = clock() + PAUSE;
                }
            }
        }
        let now = clock();
        let mut roster = self.roster();
        let mut changed = false;
        for (n, found) in found {
            let good = match &found {
                Ok(answer) => answer.expires.saturating_duration_since(Instant::now()),
                Err(_) => Duration::ZERO,
            };
            // Half a second more: then the new answer is there, and not only on its way.
            let good = u64::try_from(good.as_millis()).unwrap_or(NEVER / 2);
            due = due.min(now + good + PAUSE);
            if let Some(Some(name)) = roster.names.get_mut(n) {
                changed |= stands_for_another(name.found.as_ref(), &found);
                name.found = Some(found);
            }
        }
        if changed {
            self.renew_ring(&mut roster);
        }
        drop(roster);
        self.due.store(due, Ordering::Release);
    }

    /// Whether a name was not looked up yet.
    pub(super) fn is_unresolved(&self) -> bool {
        self.roster().names.iter().flatten().any(|it| it.found.is_none())
    }

    /// Why there is no peer.
    pub(super) fn nobody(&self) -> FailureCause {
        let roster = self.roster();
        match roster.name(0).and_then(|it| it.found.clone()) {
            Some(Err(fault)) if self.plan.upstream.is_none() => FailureCause::NameResolution(fault.into()),
            _ => FailureCause::NoPeer,
        }
    }
}

fn stands_for_another(
    before: Option<&Result<Arc<DnsAnswer>, DnsError>>,
    after: &Result<Arc<DnsAnswer>, DnsError>,
) -> bool {
    match (before, after) {
        (Some(Ok(before)), Ok(after)) => before.hosts != after.hosts,
        (None | Some(Err(_)), Err(_)) => false,
        _ => true,
    }
}
