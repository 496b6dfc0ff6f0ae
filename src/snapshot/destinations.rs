//! Destinations of the Services: balancer, protocol, TLS settings and timeouts.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::HeaderValue;
use rustc_hash::FxHashMap;

use super::{Destination, Snapshot};
use crate::{
    balancer::Balancer,
    entity::{Entities, Service},
    plugin::{ChosenDestination, ChosenPeer, ChosenTimeouts},
    upstream::{TlsSettings, Trust, UpstreamOrigin, UpstreamTimeouts},
    uri::Scheme,
};

/// Compiles the destinations, by index of the Services. `balancers` are by index of the Upstreams, `tls` by index of the
/// Services. An unchanged Service keeps its destination, and with it the resolved addresses of its host.
#[expect(clippy::type_complexity, reason = "the closure has no other place")]
pub(super) fn compile_destinations(
    entities: &Entities,
    balancers: &[Arc<Balancer>],
    (tls, trust): (&[Arc<TlsSettings>], &dyn Fn(&Service) -> Trust),
    before: &Snapshot,
) -> Vec<Arc<Destination>> {
    let upstreams: HashMap<&str, &Arc<Balancer>> =
        entities.upstreams.iter().map(|upstream| upstream.name.as_str()).zip(balancers).collect();
    let address = |service: &Arc<Service>| Arc::as_ptr(service).addr();
    let known: FxHashMap<usize, &Arc<Destination>> =
        before.entities.services.iter().map(address).zip(&before.destinations).collect();
    let compile = |(service, tls): (&Arc<Service>, &Arc<TlsSettings>)| {
        let upstream = upstreams.get(&*service.host).copied();
        let trust = trust(service);
        let same = known.get(&address(service)).filter(|destination| {
            destination.tls == *tls
                && destination.other_tls.trust == trust
                && match upstream {
                    Some(upstream) => Arc::ptr_eq(&destination.balancer, upstream),
                    None => destination.balancer.upstream().is_none(),
                }
        });
        match same {
            Some(same) => Arc::clone(same),
            None => Arc::new(new_destination(service, upstream, tls, trust)),
        }
    };
    entities.services.iter().zip(tls).map(compile).collect()
}

/// The destination of a Service. `upstream` is the balancer of the Upstream that its host names, if it names one.
fn new_destination(
    service: &Service,
    upstream: Option<&Arc<Balancer>>,
    settings: &Arc<TlsSettings>,
    trust: Trust,
) -> Destination {
    let tls = Scheme::from_protocol(&service.protocol) == Scheme::Https;
    let new_balancer = || Arc::new(Balancer::of_host(&service.host, service.port));
    let balancer = upstream.cloned().unwrap_or_else(new_balancer);
    Destination {
        origin: origin(service, tls, settings),
        tls: settings.clone(),
        other_tls: OtherTls { trust, settings: OnceLock::new() },
        limits: UpstreamTimeouts {
            connect: Duration::from_millis(service.connect_timeout),
            write: Duration::from_millis(service.write_timeout),
            read: Duration::from_millis(service.read_timeout),
            retries: service.retries,
        },
        host: balancer.first_host(tls).unwrap_or_else(|| HeaderValue::from_static("")),
        balancer,
        path: service.path.clone().unwrap_or_else(|| "/".to_owned()),
    }
}

impl Destination {
    /// The destination that a plugin has chosen in place of this one; `None`, with a line in the log, if it is an Upstream
    /// that does not exist.
    #[must_use]
    pub fn replaced(&self, chosen: &ChosenDestination, snapshot: &Snapshot) -> Option<Box<Self>> {
        let (host, port, balancer) = match &chosen.peer {
            None => (self.origin.host(), self.origin.port(), self.balancer.clone()),
            Some(ChosenPeer::Host(host, port)) => {
                (host.as_str(), *port, Arc::new(Balancer::of_host(host, *port)))
            }
            Some(ChosenPeer::Upstream(name)) => {
                let index = snapshot.entities.upstreams.iter().position(|upstream| upstream.name == *name);
                let Some(index) = index else {
                    tracing::error!("a plugin chose the Upstream '{name}', which does not exist");
                    return None;
                };
                (name.as_str(), self.origin.port(), snapshot.balancers.get(index)?.clone())
            }
        };
        let settings = match chosen.tls_verify {
            Some(verifies) if verifies != self.tls.verifies() => self.other_tls.settings(&self.tls),
            _ => &self.tls,
        };
        let origin = match chosen.scheme {
            None => self.origin.at(host, port).with_tls(settings),
            Some(Scheme::Http) => UpstreamOrigin::http(host, port),
            Some(Scheme::Https) => UpstreamOrigin::https(host, port, host, settings.clone()),
        };
        let tls = chosen.scheme.map_or_else(|| self.origin.is_tls(), |scheme| scheme == Scheme::Https);
        let host = balancer.first_host(tls).unwrap_or_else(|| HeaderValue::from_static(""));
        let mut limits = self.limits;
        if let Some(ChosenTimeouts { connect, write, read }) = chosen.timeouts {
            limits = UpstreamTimeouts { connect, write, read, ..limits };
        }
        limits.retries = chosen.retries.unwrap_or(limits.retries);
        let (other_tls, path) = (self.other_tls.clone(), self.path.clone());
        Some(Box::new(Self { origin, tls: self.tls.clone(), other_tls, balancer, limits, host, path }))
    }
}

/// TLS settings with the other answer to whether certificates are verified; made when a plugin first chooses them.
#[derive(Clone, Debug)]
pub(super) struct OtherTls {
    /// What verified certificates are checked against.
    trust: Trust,
    settings: OnceLock<Arc<TlsSettings>>,
}

impl OtherTls {
    fn settings(&self, usual: &TlsSettings) -> &Arc<TlsSettings> {
        self.settings.get_or_init(|| usual.with_trust((!usual.verifies()).then(|| self.trust.clone())))
    }
}

/// Scheme, host and protocol version of a Service.
fn origin(service: &Service, tls: bool, settings: &Arc<TlsSettings>) -> UpstreamOrigin {
    let origin = if tls {
        UpstreamOrigin::https(&*service.host, service.port, &service.host, settings.clone())
    } else {
        UpstreamOrigin::http(&*service.host, service.port)
    };
    let grpc = matches!(service.protocol.as_str(), "grpc" | "grpcs");
    if grpc { origin.over_http2() } else { origin }
}
