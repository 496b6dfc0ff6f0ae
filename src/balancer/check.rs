//! Active checks: targets are asked again and again whether they work. (Kong: "Active health checks".)

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Request, header::HOST};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Balancer, grpc_health,
    health::{Event, Witness},
    peer::Peer,
};
use crate::{
    body::Body,
    entity::{ActiveChecks, CheckProtocol},
    upstream::{Cause, Limits, Origin, Pool, PoolSettings, TlsSettings},
};

/// The shortest pause between two rounds.
const SHORTEST: Duration = Duration::from_millis(10);

/// Checks the peers that work, or those that do not, for ever.
pub(super) async fn check_forever(balancer: Arc<Balancer>, working: bool) {
    let Some(checks) = balancer.plan.checks.as_ref().map(|it| &it.active) else { return };
    let every = if working { checks.healthy_interval } else { checks.unhealthy_interval };
    if every.is_zero() {
        return;
    }
    // Every question is asked over a connection of its own.
    let pool = Pool::new(PoolSettings { idle_per_origin: 0, ..PoolSettings::default() });
    let mut ticks = interval(every.max(SHORTEST));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let peers = balancer.ring.load().peers.clone();
        let mut asking = JoinSet::new();
        for peer in peers.into_iter().filter(|it| it.works() == working) {
            if asking.len() >= checks.concurrency as usize {
                // One that panicked has said nothing.
                let _ = asking.join_next().await;
            }
            let (balancer, pool) = (balancer.clone(), pool.clone());
            asking.spawn(async move { check(&balancer, &peer, &pool).await });
        }
        asking.join_all().await;
    }
}

async fn check(balancer: &Balancer, peer: &Peer, pool: &Pool) {
    let Some(checks) = balancer.plan.checks.as_ref().map(|it| &it.active) else { return };
    let asked = async {
        match checks.protocol {
            CheckProtocol::Tcp => match TcpStream::connect(peer.place.address).await {
                Ok(_) => Some(Event::Success),
                Err(_) => Some(Event::TcpFailure),
            },
            CheckProtocol::Http | CheckProtocol::Https | CheckProtocol::Grpc | CheckProtocol::Grpcs => {
                ask(checks, peer, (pool, &balancer.plan.check_tls)).await
            }
        }
    };
    let event = timeout(checks.timeout, asked).await.unwrap_or(Some(Event::Timeout));
    if let Some(event) = event {
        balancer.count(peer, event, &checks.limits, Witness::Check);
    }
}

async fn ask(
    checks: &ActiveChecks,
    peer: &Peer,
    (pool, tls_settings): (&Pool, &Arc<TlsSettings>),
) -> Option<Event> {
    let tls = matches!(checks.protocol, CheckProtocol::Https | CheckProtocol::Grpcs);
    let grpc = matches!(checks.protocol, CheckProtocol::Grpc | CheckProtocol::Grpcs);
    let (ip, port) = (peer.place.address.ip().to_string(), peer.place.address.port());
    let origin = if tls {
        Origin::https(ip, port, checks.sni.as_deref().unwrap_or(&peer.name), tls_settings.clone())
    } else {
        Origin::http(ip, port)
    };
    let origin = if grpc { origin.over_http2() } else { origin };
    let limits = Limits { connect: checks.timeout, write: checks.timeout, read: checks.timeout, retries: 0 };
    let mut request = question(checks, peer, tls);
    if grpc {
        grpc_health::ask(&mut request);
    }
    let answer = pool.send(&origin, &limits, request).await;
    if grpc {
        // Or it would be shared with the next question.
        pool.close_idle(|it| *it == origin);
    }
    match answer {
        Ok(answer) if grpc => Some(grpc_health::judge(answer.response).await),
        Ok(answer) => Event::of_status(answer.response.status().as_u16(), &checks.limits),
        Err(failure) => match failure.cause {
            Cause::ConnectTimeout | Cause::WriteTimeout | Cause::ReadTimeout => Some(Event::Timeout),
            _ => Some(Event::TcpFailure),
        },
    }
}

fn question(checks: &ActiveChecks, peer: &Peer, tls: bool) -> Request<Body> {
    let mut request = Request::new(Body::Empty);
    *request.uri_mut() = checks.path.parse().unwrap_or_default();
    let fields = request.headers_mut();
    fields.insert(HOST, peer.host(tls).clone());
    fields.insert("connection", HeaderValue::from_static("close"));
    for (name, values) in &checks.headers {
        let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else { continue };
        if name == HOST {
            fields.remove(HOST);
        }
        for value in values.iter().filter_map(|it| HeaderValue::from_str(it).ok()) {
            fields.append(name.clone(), value);
        }
    }
    request
}
