//! Tests of balancers across reloads, and while the health of peers changes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::upstream::{FailureCause, Peers};

fn config(targets: &[&str]) -> BalancerConfig {
    let spec = |target: &&str| {
        let (host, port) = target.rsplit_once(':').unwrap();
        TargetSpec {
            id: String::new(),
            text: (*target).to_owned(),
            host: host.to_owned(),
            port: port.parse().unwrap(),
            weight: 100,
        }
    };
    BalancerConfig {
        upstream: Some(Uuid::nil()),
        algorithm: Algorithm::RoundRobin,
        hash_on: HashInput::None,
        hash_fallback: HashInput::None,
        slots: 10,
        host_header: None,
        use_srv_name: false,
        checks: None,
        check_tls: TlsSettings::trusting(),
        targets: targets.iter().map(spec).collect(),
    }
}

/// The addresses that `count` requests get.
async fn picked_addresses(balancer: &Arc<Balancer>, count: usize) -> Vec<String> {
    let (resolver, origin) = (DnsResolver::default(), UpstreamOrigin::http("a.test", 80));
    let mut addresses = Vec::new();
    for _ in 0..count {
        let mut attempts = balancer.choose(&resolver, &origin, &RequestHash::default(), None);
        match attempts.next().await {
            Ok(peer) => addresses.push(peer.address.to_string()),
            Err(cause) => {
                assert!(matches!(cause, FailureCause::NoPeer), "{cause}");
                addresses.push("none".to_owned());
            }
        }
    }
    addresses
}

/// Sets the health of a target by hand.
fn set_health(balancer: &Balancer, target: &str, address: Option<&str>, is_healthy: bool) -> bool {
    balancer.target_index(target).is_some_and(|index| balancer.set_target_health(index, address, is_healthy))
}

const A: &str = "10.0.0.1:80";
const B: &str = "10.0.0.2:80";

#[tokio::test]
async fn health_survives_reloads() {
    let before = Arc::new(Balancer::new(config(&[A, B]), None));
    let after = Arc::new(Balancer::new(config(&[B, A]), Some(&before)));
    assert_eq!(picked_addresses(&after, 2).await, [B, A]);
    assert!(set_health(&before, B, None, false));
    assert_eq!(
        picked_addresses(&after, 2).await,
        [A, A],
        "a request on the previous balancer has seen a failure"
    );
    let third = Arc::new(Balancer::new(config(&[A, B]), Some(&after)));
    assert_eq!(picked_addresses(&third, 2).await, [A, A]);
    assert!(set_health(&third, B, None, true) && set_health(&third, A, Some("10.0.0.1"), false));
    assert_eq!(picked_addresses(&third, 2).await, [B, B]);
    assert!(set_health(&third, B, Some(B), false));
    assert_eq!(picked_addresses(&third, 1).await, ["none"]);
    assert!(!set_health(&third, B, Some("10.0.0.9"), true) && !set_health(&third, "10.0.0.9:80", None, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_peer_is_found_while_others_change() {
    let balancer = Arc::new(Balancer::new(config(&[A, B, "10.0.0.3:80"]), None));
    let (changing, ended) = (balancer.clone(), Arc::new(AtomicBool::new(false)));
    let end = ended.clone();
    let changing_task = tokio::task::spawn_blocking(move || {
        for n in 0..2000 {
            set_health(&changing, if n % 2 == 0 { A } else { B }, None, n % 3 == 0);
        }
        end.store(true, Ordering::Release);
    });
    while !ended.load(Ordering::Acquire) {
        assert!(!picked_addresses(&balancer, 20).await.contains(&"none".to_owned()));
    }
    changing_task.await.unwrap();
    set_health(&balancer, A, None, true);
    set_health(&balancer, B, None, true);
    let mut addresses = picked_addresses(&balancer, 3).await;
    addresses.sort();
    assert_eq!(addresses, [A, B, "10.0.0.3:80"]);
}
