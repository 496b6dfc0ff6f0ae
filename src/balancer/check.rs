//! Active checks: targets are asked again and again whether they work. (Kong: "Active health checks".)

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Request, header::HOST};
use tokio::{
    net::TcpStream,
    task::{JoinError, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{
    Balancer, grpc_health,
    health::{HealthEvent, HealthSource},
    peer::TargetPeer,
};
use crate::{
    body::Body,
    entity::{ActiveChecks, CheckProtocol},
    upstream::{ConnectionPool, FailureCause, PoolSettings, TlsSettings, UpstreamOrigin, UpstreamTimeouts},
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
    let pool = ConnectionPool::new(PoolSettings { idle_per_origin: 0, ..PoolSettings::default() });
    let mut ticks = interval(every.max(SHORTEST));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let peers = balancer.ring.load().peers.clone();
        let asked = peers.into_iter().filter(|it| it.works() == working);
        let check = |peer: Arc<TargetPeer>| {
            let (balancer, pool) = (balancer.clone(), pool.clone());
            async move { check(&balancer, &peer, &pool).await }
        };
        check_all(asked, checks.concurrency as usize, check).await;
    }
}

/// Checks some peers, so many at a time.
async fn check_all<T, F>(peers: impl Iterator<Item = T>, at_a_time: usize, check: impl Fn(T) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut asking = JoinSet::new();
    for peer in peers {
        if asking.len() >= at_a_time {
            asking.join_next().await.into_iter().for_each(note);
        }
        asking.spawn(check(peer));
    }
    while let Some(asked) = asking.join_next().await {
        note(asked);
    }
}

/// Notes how a check ended: one that panicked has said nothing about its peer.
fn note(asked: Result<(), JoinError>) {
    if let Err(error) = asked
        && error.is_panic()
    {
        tracing::error!("an active check stopped half-way: {error}");
    }
}

async fn check(balancer: &Balancer, peer: &TargetPeer, pool: &ConnectionPool) {
    let Some(checks) = balancer.plan.checks.as_ref().map(|it| &it.active) else { return };
    let asked = async {
        match checks.protocol {
            CheckProtocol::Tcp => match TcpStream::connect(peer.place.address).await {
                Ok(_) => Some(HealthEvent::Success),
                Err(_) => Some(HealthEvent::TcpFailure),
            },
            CheckProtocol::Http | CheckProtocol::Https | CheckProtocol::Grpc | CheckProtocol::Grpcs => {
                ask(checks, peer, (pool, &balancer.plan.check_tls)).await
            }
        }
    };
    let event = timeout(checks.timeout, asked).await.unwrap_or(Some(HealthEvent::Timeout));
    if let Some(event) = event {
        balancer.count(peer, event, &checks.limits, HealthSource::Check);
    }
}

async fn ask(
    checks: &ActiveChecks,
    peer: &TargetPeer,
    (pool, tls_settings): (&ConnectionPool, &Arc<TlsSettings>),
) -> Option<HealthEvent> {
    let tls = matches!(checks.protocol, CheckProtocol::Https | CheckProtocol::Grpcs);
    let grpc = matches!(checks.protocol, CheckProtocol::Grpc | CheckProtocol::Grpcs);
    let (ip, port) = (peer.place.address.ip().to_string(), peer.place.address.port());
    let origin = if tls {
        UpstreamOrigin::https(ip, port, checks.sni.as_deref().unwrap_or(&peer.name), tls_settings.clone())
    } else {
        UpstreamOrigin::http(ip, port)
    };
    let origin = if grpc { origin.over_http2() } else { origin };
    let limits =
        UpstreamTimeouts { connect: checks.timeout, write: checks.timeout, read: checks.timeout, retries: 0 };
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
        Ok(answer) => HealthEvent::of_status(answer.response.status().as_u16(), &checks.limits),
        Err(failure) => match failure.cause {
            FailureCause::ConnectTimeout | FailureCause::WriteTimeout | FailureCause::ReadTimeout => {
                Some(HealthEvent::Timeout)
            }
            _ => Some(HealthEvent::TcpFailure),
        },
    }
}

fn question(checks: &ActiveChecks, peer: &TargetPeer, tls: bool) -> Request<Body> {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;

    #[tokio::test]
    async fn a_check_that_panics_ends_no_other() {
        for at_a_time in [1, 3, 10] {
            let checked = Arc::new(AtomicUsize::new(0));
            let check = |peer| {
                let checked = checked.clone();
                async move {
                    tokio::task::yield_now().await;
                    assert!(peer % 4 != 0, "as intended");
                    checked.fetch_add(1, Relaxed);
                }
            };
            check_all(0..8, at_a_time, check).await;
            assert_eq!(checked.load(Relaxed), 6);
        }
    }
}
