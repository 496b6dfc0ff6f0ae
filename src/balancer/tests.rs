//! What holds between a reload and the next, and while peers come and go.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::upstream::{FailureCause, Peers};

fn plan(targets: &[&str]) -> BalancerConfig {
    let seat = |target: &&str| {
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
        seats: targets.iter().map(seat).collect(),
    }
}

/// Where so many requests go.
async fn met(balancer: &Arc<Balancer>, count: usize) -> Vec<String> {
    let (resolver, origin) = (DnsResolver::default(), UpstreamOrigin::http("a.test", 80));
    let mut met = Vec::new();
    for _ in 0..count {
        let mut choice = balancer.choose(&resolver, &origin, &RequestHash::default(), None);
        match choice.next().await {
            Ok(peer) => met.push(peer.address.to_string()),
            Err(cause) => {
                assert!(matches!(cause, FailureCause::NoPeer), "{cause}");
                met.push("nobody".to_owned());
            }
        }
    }
    met
}

/// Says by hand whether a target works.
fn put(balancer: &Balancer, target: &str, address: Option<&str>, works: bool) -> bool {
    balancer.place_of(target).is_some_and(|place| balancer.put(place, address, works))
}

const A: &str = "10.0.0.1:80";
const B: &str = "10.0.0.2:80";

#[tokio::test]
async fn what_one_finds_out_holds_for_the_one_after_it() {
    let before = Arc::new(Balancer::new(plan(&[A, B]), None));
    let after = Arc::new(Balancer::new(plan(&[B, A]), Some(&before)));
    assert_eq!(met(&after, 2).await, [B, A]);
    assert!(put(&before, B, None, false));
    assert_eq!(met(&after, 2).await, [A, A], "a request that began before the reload has seen it fail");
    let third = Arc::new(Balancer::new(plan(&[A, B]), Some(&after)));
    assert_eq!(met(&third, 2).await, [A, A]);
    assert!(put(&third, B, None, true) && put(&third, A, Some("10.0.0.1"), false));
    assert_eq!(met(&third, 2).await, [B, B]);
    assert!(put(&third, B, Some(B), false));
    assert_eq!(met(&third, 1).await, ["nobody"]);
    assert!(!put(&third, B, Some("10.0.0.9"), true) && !put(&third, "10.0.0.9:80", None, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_is_found_while_others_come_and_go() {
    let balancer = Arc::new(Balancer::new(plan(&[A, B, "10.0.0.3:80"]), None));
    let (turning, ended) = (balancer.clone(), Arc::new(AtomicBool::new(false)));
    let end = ended.clone();
    let turning = tokio::task::spawn_blocking(move || {
        for n in 0..2000 {
            put(&turning, if n % 2 == 0 { A } else { B }, None, n % 3 == 0);
        }
        end.store(true, Ordering::Release);
    });
    while !ended.load(Ordering::Acquire) {
        assert!(!met(&balancer, 20).await.contains(&"nobody".to_owned()));
    }
    turning.await.unwrap();
    put(&balancer, A, None, true);
    put(&balancer, B, None, true);
    let mut met = met(&balancer, 3).await;
    met.sort();
    assert_eq!(met, [A, B, "10.0.0.3:80"]);
}
