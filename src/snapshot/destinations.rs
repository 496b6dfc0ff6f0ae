//! Services become destinations: which balancer picks their peers, and how these are spoken to.

use std::{collections::HashMap, sync::Arc, time::Duration};

use http::HeaderValue;
use rustc_hash::FxHashMap;

use super::{Destination, Snapshot};
use crate::{
    balancer::Balancer,
    entity::{Entities, Service},
    upstream::{TlsSettings, UpstreamOrigin, UpstreamTimeouts},
    uri::Scheme,
};

/// The destinations by the places of the Services. `balancers` are by the places of the Upstreams, `tls` by those of
/// the Services. A Service that is the one before goes where it went, and what is known of its host goes on.
pub(super) fn of(
    entities: &Entities,
    balancers: &[Arc<Balancer>],
    tls: &[Arc<TlsSettings>],
    before: &Snapshot,
) -> Vec<Arc<Destination>> {
    let upstreams: HashMap<&str, &Arc<Balancer>> =
        entities.upstreams.iter().map(|it| it.name.as_str()).zip(balancers).collect();
    let place = |service: &Arc<Service>| Arc::as_ptr(service).addr();
    let known: FxHashMap<usize, &Arc<Destination>> =
        before.entities.services.iter().map(place).zip(&before.destinations).collect();
    let one = |(service, tls): (&Arc<Service>, &Arc<TlsSettings>)| {
        let upstream = upstreams.get(&*service.host).copied();
        let same = known.get(&place(service)).filter(|it| {
            it.tls == *tls
                && match upstream {
                    Some(upstream) => Arc::ptr_eq(&it.balancer, upstream),
                    None => it.balancer.upstream().is_none(),
                }
        });
        same.map_or_else(|| Arc::new(destination(service, upstream, tls)), |it| Arc::clone(it))
    };
    entities.services.iter().zip(tls).map(one).collect()
}

/// `upstream` is what the host of the Service names, if it names an Upstream.
fn destination(
    service: &Service,
    upstream: Option<&Arc<Balancer>>,
    settings: &Arc<TlsSettings>,
) -> Destination {
    let tls = Scheme::from_protocol(&service.protocol) == Scheme::Https;
    let of_host = || Arc::new(Balancer::of_host(&service.host, service.port));
    let balancer = upstream.cloned().unwrap_or_else(of_host);
    Destination {
        origin: origin(service, tls, settings),
        tls: settings.clone(),
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

/// Whom to connect to, and in which protocol.
fn origin(service: &Service, tls: bool, settings: &Arc<TlsSettings>) -> UpstreamOrigin {
    let origin = if tls {
        UpstreamOrigin::https(&*service.host, service.port, &service.host, settings.clone())
    } else {
        UpstreamOrigin::http(&*service.host, service.port)
    };
    let grpc = matches!(service.protocol.as_str(), "grpc" | "grpcs");
    if grpc { origin.over_http2() } else { origin }
}
