//! Health of an Upstream for the Admin API, and setting it by hand.

use std::net::{IpAddr, SocketAddr};

use super::{Balancer, TargetSpec, ring::PeerRing};

/// Reported health of a target or an address. (Kong: Admin API, "Show Upstream health for node".)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedHealth {
    /// Healthy, according to checks.
    Healthy,
    /// Unhealthy.
    Unhealthy,
    /// The Upstream has no checks.
    Unchecked,
    /// The name has no address.
    NoAddress,
}

/// Report of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetReport {
    /// Id.
    pub id: String,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Configured weight.
    pub weight: u16,
    /// Kind of DNS records of the name; `A` for addresses.
    pub dns: &'static str,
    /// Health of the target as a whole.
    pub health: ReportedHealth,
    /// Addresses in use.
    pub addresses: Vec<AddressReport>,
}

/// Report of one address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AddressReport {
    /// Address and port.
    pub address: SocketAddr,
    /// Weight among the addresses.
    pub weight: u32,
    /// Whether requests may be sent to it.
    pub is_healthy: bool,
    /// Reported health.
    pub health: ReportedHealth,
}

/// Error of setting the health of a target by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetHealthError {
    /// The target or the address does not exist.
    Absent,
    /// The Upstream has neither active nor passive checks.
    Unchecked,
}

impl ReportedHealth {
    /// Kong's word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
            Self::Unchecked => "HEALTHCHECKS_OFF",
            Self::NoAddress => "DNS_ERROR",
        }
    }
}

impl Balancer {
    /// Reports of all targets, in file order.
    #[must_use]
    pub fn report(&self) -> Vec<TargetReport> {
        let ring = self.ring.load_full();
        let targets = self.config.targets.iter().enumerate();
        targets.map(|(index, target)| self.report_target(index, target, &ring)).collect()
    }

    fn report_target(&self, index: usize, target: &TargetSpec, ring: &PeerRing) -> TargetReport {
        let addresses: Vec<AddressReport> = ring
            .peers
            .iter()
            .filter(|peer| peer.target == index)
            .map(|peer| {
                let is_healthy = peer.is_healthy();
                let (address, weight) = (peer.endpoint.address, peer.weight);
                AddressReport { address, weight, is_healthy, health: self.reported_health(is_healthy) }
            })
            .collect();
        let lookup = self.target_set().name(index).and_then(|name| name.lookup.clone());
        let health = match (&lookup, addresses.is_empty()) {
            (Some(Err(_)), _) => ReportedHealth::NoAddress,
            (_, true) => ReportedHealth::Unchecked,
            (_, false) => self.reported_health(addresses.iter().any(|address| address.is_healthy)),
        };
        TargetReport {
            id: target.id.clone(),
            host: target.host.clone(),
            port: target.port,
            weight: target.weight,
            dns: lookup.and_then(Result::ok).map_or("A", |answer| answer.kind.name()),
            health,
            addresses,
        }
    }

    /// Health of the Upstream: whether requests can get a peer.
    #[must_use]
    pub fn overall_health(&self) -> ReportedHealth {
        self.reported_health(self.ring.load().is_open())
    }

    fn reported_health(&self, is_healthy: bool) -> ReportedHealth {
        match (is_healthy, self.is_checked()) {
            (false, _) => ReportedHealth::Unhealthy,
            (true, true) => ReportedHealth::Healthy,
            (true, false) => ReportedHealth::Unchecked,
        }
    }

    /// Whether the Upstream has active or passive checks.
    fn is_checked(&self) -> bool {
        self.config.checks.as_ref().is_some_and(|checks| {
            let (active, passive) = (&checks.active, &checks.passive.limits);
            let is_active = !active.healthy_interval.is_zero() || !active.unhealthy_interval.is_zero();
            is_active || passive.tcp_failures > 0 || passive.timeouts > 0 || passive.http_failures > 0
        })
    }

    /// Sets the health of a target (by its id, or `host:port`), or of one of its addresses (with or without a port), until
    /// checks change it. (Kong: Admin API, "Set target as healthy".)
    ///
    /// # Errors
    /// The target or address does not exist, or the Upstream has no checks and so keeps no health.
    pub fn set_health(
        &self,
        target: &str,
        address: Option<&str>,
        is_healthy: bool,
    ) -> Result<(), SetHealthError> {
        let index = self.target_index(target).ok_or(SetHealthError::Absent)?;
        if !self.is_checked() {
            return Err(SetHealthError::Unchecked);
        }
        if self.set_target_health(index, address, is_healthy) { Ok(()) } else { Err(SetHealthError::Absent) }
    }

    pub(super) fn target_index(&self, target: &str) -> Option<usize> {
        self.config.targets.iter().position(|spec| spec.id == target || spec.text == target)
    }

    /// Sets the health of a target or of one of its addresses; false if it has no such address.
    pub(super) fn set_target_health(&self, index: usize, address: Option<&str>, is_healthy: bool) -> bool {
        let ring = self.ring.load_full();
        let of_target = ring.peers.iter().filter(|peer| peer.target == index);
        let is_addressed = |known: SocketAddr| match address {
            None => true,
            Some(text) => text.parse() == Ok(known) || text.parse::<IpAddr>() == Ok(known.ip()),
        };
        let peers: Vec<_> = of_target.filter(|peer| is_addressed(peer.endpoint.address)).collect();
        if peers.is_empty() {
            return address.is_none();
        }
        let mut has_changed = false;
        for peer in peers {
            has_changed |= peer.state.health.set(is_healthy);
        }
        if has_changed {
            self.handle_health_change();
        }
        true
    }
}
