//! The state of an Upstream for the Admin API, and the hand that sets it.

use std::net::{IpAddr, SocketAddr};

use super::{Balancer, TargetSpec, ring::PeerRing};

/// What is said about a target or an address. (Kong: Admin API, "Show Upstream health for node".)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportedHealth {
    /// It works, as far as checks know.
    Healthy,
    /// It does not.
    Unhealthy,
    /// Nobody checks.
    Unchecked,
    /// Its name stands for nothing.
    NoAddress,
}

/// The state of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetReport {
    /// Its id.
    pub id: String,
    /// Its name or address, and its port.
    pub host: String,
    /// See above.
    pub port: u16,
    /// As configured.
    pub weight: u16,
    /// The kind of records that its name has; `A` for addresses.
    pub dns: &'static str,
    /// The state of the whole.
    pub verdict: ReportedHealth,
    /// Its addresses, as far as they take part.
    pub addresses: Vec<AddressReport>,
}

/// The state of one address.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AddressReport {
    /// The address.
    pub address: SocketAddr,
    /// Its part of the traffic beside the others.
    pub weight: u32,
    /// Whether it works.
    pub works: bool,
    /// What is said about it.
    pub verdict: ReportedHealth,
}

/// Why nothing can be said of a target by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetHealthError {
    /// There is no such target, or it has no such address.
    Absent,
    /// The Upstream has no checks, active or passive.
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
    /// The state of every target, in file order.
    #[must_use]
    pub fn report(&self) -> Vec<TargetReport> {
        let ring = self.ring.load_full();
        let seats = self.plan.seats.iter().enumerate();
        seats.map(|(n, seat)| self.report_of(n, seat, &ring)).collect()
    }

    fn report_of(&self, n: usize, seat: &TargetSpec, ring: &PeerRing) -> TargetReport {
        let addresses: Vec<AddressReport> = ring
            .peers
            .iter()
            .filter(|it| it.target == n)
            .map(|it| {
                let works = it.works();
                let (address, weight) = (it.place.address, it.weight);
                AddressReport { address, weight, works, verdict: self.verdict(works) }
            })
            .collect();
        let found = self.roster().name(n).and_then(|it| it.found.clone());
        let verdict = match (&found, addresses.is_empty()) {
            (Some(Err(_)), _) => ReportedHealth::NoAddress,
            (_, true) => ReportedHealth::Unchecked,
            (_, false) => self.verdict(addresses.iter().any(|it| it.works)),
        };
        TargetReport {
            id: seat.id.clone(),
            host: seat.host.clone(),
            port: seat.port,
            weight: seat.weight,
            dns: found.and_then(Result::ok).map_or("A", |answer| answer.kind.name()),
            verdict,
            addresses,
        }
    }

    /// The state of the whole: whether requests find a peer.
    #[must_use]
    pub fn verdict_of_all(&self) -> ReportedHealth {
        self.verdict(self.ring.load().is_open())
    }

    fn verdict(&self, works: bool) -> ReportedHealth {
        match (works, self.is_checked()) {
            (false, _) => ReportedHealth::Unhealthy,
            (true, true) => ReportedHealth::Healthy,
            (true, false) => ReportedHealth::Unchecked,
        }
    }

    /// Whether anything is checked, by asking or by watching.
    fn is_checked(&self) -> bool {
        self.plan.checks.as_ref().is_some_and(|checks| {
            let (active, passive) = (&checks.active, &checks.passive.limits);
            let asks = !active.healthy_interval.is_zero() || !active.unhealthy_interval.is_zero();
            asks || passive.tcp_failures > 0 || passive.timeouts > 0 || passive.http_failures > 0
        })
    }

    /// Says of a target (its id, or `host:port`), or of one address of it (with or without a port), whether it
    /// works, until checks find otherwise.
    ///
    /// # Errors
    ///
    /// Nothing is said if there is no such target or address, or if nobody checks: then no state is kept. (Kong:
    /// Admin API, "Set target as healthy".)
    pub fn set(&self, target: &str, address: Option<&str>, works: bool) -> Result<(), SetHealthError> {
        let place = self.place_of(target).ok_or(SetHealthError::Absent)?;
        if !self.is_checked() {
            return Err(SetHealthError::Unchecked);
        }
        if self.put(place, address, works) { Ok(()) } else { Err(SetHealthError::Absent) }
    }

    pub(super) fn place_of(&self, target: &str) -> Option<usize> {
        self.plan.seats.iter().position(|it| it.id == target || it.text == target)
    }

    /// Turns the addresses of a target over; false if it has none of this name.
    pub(super) fn put(&self, place: usize, address: Option<&str>, works: bool) -> bool {
        let ring = self.ring.load_full();
        let of_target = ring.peers.iter().filter(|it| it.target == place);
        let named = |at: SocketAddr| match address {
            None => true,
            Some(text) => text.parse() == Ok(at) || text.parse::<IpAddr>() == Ok(at.ip()),
        };
        let peers: Vec<_> = of_target.filter(|it| named(it.place.address)).collect();
        if peers.is_empty() {
            return address.is_none();
        }
        let mut turned = false;
        for peer in peers {
            turned |= peer.state.health.put(works);
        }
        if turned {
            self.turned_over();
        }
        true
    }
}
