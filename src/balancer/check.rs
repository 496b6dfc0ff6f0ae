//! Active health checks: periodic requests to the peers of an Upstream. (Kong: "Active health checks".)

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

/// Shortest interval between two rounds.
const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// Checks the healthy or the unhealthy peers periodically; returns at once if the interval is 0.
pub(super) async fn run_checks(balancer: Arc<Balancer>, checks_healthy: bool) {
    let Some(checks) = balancer.config.checks.as_ref().map(|checks| &checks.active) else { return };
    let period = if checks_healthy { checks.healthy_interval } else { checks.unhealthy_interval };
    if period.is_zero() {
        return;
    }
    // Each check opens a connection of its own.
    let pool = ConnectionPool::new(PoolSettings { idle_per_origin: 0, ..PoolSettings::default() });
    let mut ticks = interval(period.max(MIN_INTERVAL));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let peers = balancer.ring.load().peers.clone();
        let checked = peers.into_iter().filter(|peer| peer.is_healthy() == checks_healthy);
        let check = |peer: Arc<TargetPeer>| {
            let (balancer, pool) = (balancer.clone(), pool.clone());
            async move { check(&balancer, &peer, &pool).await }
        };
        check_all(checked, checks.concurrency as usize, check).await;
    }
}

/// Checks peers, at most `concurrency` at a time.
async fn check_all<T, F>(peers: impl Iterator<Item = T>, concurrency: usize, check: impl Fn(T) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = JoinSet::new();
    for peer in peers {
        if running.len() >= concurrency {
            running.join_next().await.into_iter().for_each(log_panic);
        }
        running.spawn(check(peer));
    }
    while let Some(result) = running.join_next().await {
        log_panic(result);
    }
}

/// Logs the panic of a check, which counts as no event.
fn log_panic(result: Result<(), JoinError>) {
    if let Err(error) = result
        && error.is_panic()
    {
        tracing::error!("an active check panicked: {error}");
    }
}

/// Checks one peer and records the event.
async fn check(balancer: &Balancer, peer: &TargetPeer, pool: &ConnectionPool) {
    let Some(checks) = balancer.config.checks.as_ref().map(|checks| &checks.active) else { return };
    let checking = async {
        match checks.protocol {
            CheckProtocol::Tcp => match TcpStream::connect(peer.endpoint.address).await {
                Ok(_) => Some(HealthEvent::Success),
                Err(_) => Some(HealthEvent::TcpFailure),
            },
            CheckProtocol::Http | CheckProtocol::Https | CheckProtocol::Grpc | CheckProtocol::Grpcs => {
                send_check(checks, peer, (pool, &balancer.config.check_tls)).await
            }
        }
    };
    let event = timeout(checks.timeout, checking).await.unwrap_or(Some(HealthEvent::Timeout));
    if let Some(event) = event {
        balancer.record_event(peer, event, &checks.limits, HealthSource::Check);
    }
}

/// Sends an HTTP or gRPC check; `None` if the status is neither healthy nor unhealthy.
async fn send_check(
    checks: &ActiveChecks,
    peer: &TargetPeer,
    (pool, tls_settings): (&ConnectionPool, &Arc<TlsSettings>),
) -> Option<HealthEvent> {
    let is_tls = matches!(checks.protocol, CheckProtocol::Https | CheckProtocol::Grpcs);
    let is_grpc = matches!(checks.protocol, CheckProtocol::Grpc | CheckProtocol::Grpcs);
    let (ip, port) = (peer.endpoint.address.ip().to_string(), peer.endpoint.address.port());
    let origin = if is_tls {
        UpstreamOrigin::https(ip, port, checks.sni.as_deref().unwrap_or(&peer.name), tls_settings.clone())
    } else {
        UpstreamOrigin::http(ip, port)
    };
    let origin = if is_grpc { origin.over_http2() } else { origin };
    let limits =
        UpstreamTimeouts { connect: checks.timeout, write: checks.timeout, read: checks.timeout, retries: 0 };
    let mut request = check_request(checks, peer, is_tls);
    if is_grpc {
        grpc_health::fill_request(&mut request);
    }
    let answer = pool.send(&origin, &limits, request).await;
    if is_grpc {
        // Otherwise the next check would share the connection.
        pool.close_idle(|idle| *idle == origin);
    }
    match answer {
        Ok(answer) if is_grpc => Some(grpc_health::evaluate(answer.response).await),
        Ok(answer) => HealthEvent::of_status(answer.response.status().as_u16(), &checks.limits),
        Err(failure) => match failure.cause {
            FailureCause::ConnectTimeout | FailureCause::WriteTimeout | FailureCause::ReadTimeout => {
                Some(HealthEvent::Timeout)
            }
            _ => Some(HealthEvent::TcpFailure),
        },
    }
}

fn check_request(checks: &ActiveChecks, peer: &TargetPeer, tls: bool) -> Request<Body> {
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
        for value in values.iter().filter_map(|value| HeaderValue::from_str(value).ok()) {
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
    async fn a_panic_of_a_check_does_not_end_others() {
        for concurrency in [1, 3, 10] {
            let checked = Arc::new(AtomicUsize::new(0));
            let check = |peer| {
                let checked = checked.clone();
                async move {
                    tokio::task::yield_now().await;
                    assert!(peer % 4 != 0, "as intended");
                    checked.fetch_add(1, Relaxed);
                }
            };
            check_all(0..8, concurrency, check).await;
            assert_eq!(checked.load(Relaxed), 6);
        }
    }
}
