//! Health checks: unhealthy targets get no requests until they are healthy again.

use std::net::TcpListener;

use serde_json::Value;

use crate::{
    balancing::{config, start},
    client::Client,
    eventually,
    gateway::{Gateway, Setup},
    pem::Authority,
    targets::{Target, ask, count, wait_for_targets},
};

const ACTIVE: &str = "healthchecks: {active: {http_path: /check, headers: {x-probe: ['1']}, \
    healthy: {interval: 0.02, successes: 1}, unhealthy: {interval: 0.02, http_failures: 2, tcp_failures: 2}}}";
const PASSIVE: &str =
    "healthchecks: {passive: {unhealthy: {http_failures: 2, tcp_failures: 2, timeouts: 1}}}";

/// The health of each target by the Admin API, in file order.
#[track_caller]
fn health(gateway: &Gateway) -> Vec<String> {
    let answer = gateway.admin("GET", "/upstreams/shop.upstream/health").json();
    let targets = answer["data"].as_array().unwrap();
    targets.iter().map(|target| target["health"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
pub(crate) fn wait_for_health(gateway: &Gateway, expected: &[&str]) {
    eventually(&format!("health is {expected:?}"), || (health(gateway) == expected).then_some(()));
}

#[track_caller]
fn whole(gateway: &Gateway) -> Value {
    gateway.admin("GET", "/upstreams/shop.upstream/health?balancer_health=1").json()["data"]["health"].clone()
}

#[track_caller]
fn put(gateway: &Gateway, path: &str) -> u16 {
    Client::fresh().send("PUT", &gateway.admin_url(path), &[], Some(b"")).unwrap().status
}

#[test]
fn active_checks_exclude_a_target_and_include_it_again() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start(ACTIVE, &[(&a, 100), (&b, 100)]);
    wait_for_health(&gateway, &["HEALTHY", "HEALTHY"]);
    wait_for_targets(&gateway, "/steady", &["a", "b"]);
    b.answer(500);
    wait_for_health(&gateway, &["HEALTHY", "UNHEALTHY"]);
    let met = ask(&gateway, "/steady", 6);
    assert_eq!(count(&met, "a"), 6, "{met:?}");
    gateway.wait_for_log("is unhealthy: a bad answer, seen by a check");
    b.answer(302);
    wait_for_health(&gateway, &["HEALTHY", "HEALTHY"]);
    wait_for_targets(&gateway, "/steady", &["a", "b"]);
    assert!(a.checks() > 0);
}

#[test]
fn active_checks_detect_a_closed_port() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for kind in ["http", "tcp"] {
        let a = Target::start("a");
        let checks = ACTIVE.replace("active: {", &format!("active: {{type: {kind}, "));
        let text = config(&checks, &[(&a, 100)])
            .replace("targets: [", &format!("targets: [{{target: '{address}'}}, "));
        let gateway = Setup::with(&text).run();
        wait_for_health(&gateway, &["UNHEALTHY", "HEALTHY"]);
        let back = Target::start_at("back", address.ip(), address.port());
        wait_for_health(&gateway, &["HEALTHY", "HEALTHY"]);
        wait_for_targets(&gateway, "/steady", &["a", "back"]);
        drop(back);
    }
}

#[test]
fn active_checks_over_tls_verify_the_certificate() {
    let authority = Authority::new("Our Authority");
    let signed = authority.issue("inner.test");
    let inner = Setup::with("_format_version: '3.0'\nroutes: [{name: all, paths: [/], plugins: [{name: request-termination, config: {status_code: 200}}]}]\n")
        .file("inner.pem", &signed.certificate)
        .file("inner.key", &signed.key)
        .env("KONG_SSL_CERT", "inner.pem")
        .env("KONG_SSL_CERT_KEY", "inner.key");
    let inner = inner.start(&["run", "--proxy-listen", "127.0.0.1:0 ssl", "--admin-listen", "off"]);
    let target = format!("targets: [{{target: '{}'}}]", inner.tls_address("proxy"));
    for (more, expected) in [
        ("https_sni: inner.test", "HEALTHY"),
        ("https_sni: other.test", "UNHEALTHY"),
        ("https_sni: other.test, https_verify_certificate: false", "HEALTHY"),
    ] {
        let checks = ACTIVE.replace("active: {", &format!("active: {{type: https, {more}, "));
        // The initial health must differ from the expected one.
        let gateway = Setup::with(&config(&checks, &[]).replace("targets: []", &target))
            .file("ca.pem", authority.certificate())
            .env("KONG_LUA_SSL_TRUSTED_CERTIFICATE", "ca.pem")
            .run();
        let place = format!("/upstreams/shop.upstream/targets/{}/unhealthy", inner.tls_address("proxy"));
        assert_eq!(put(&gateway, &place), 204);
        if expected == "UNHEALTHY" {
            gateway.admin("PUT", &place.replace("unhealthy", "healthy"));
        }
        wait_for_health(&gateway, &[expected]);
    }
}

#[test]
fn failed_requests_exclude_a_target_until_it_is_set_healthy() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start(PASSIVE, &[(&a, 100), (&b, 100)]);
    b.answer(500);
    eventually("requests to it have failed", || {
        gateway.get("/x");
        (health(&gateway) == ["HEALTHY", "UNHEALTHY"]).then_some(())
    });
    b.answer(200);
    let before = b.requests();
    assert_eq!(count(&ask(&gateway, "/x", 10), "a"), 10);
    assert_eq!(b.requests(), before);
    // Only the Admin API sets it healthy again.
    assert_eq!(put(&gateway, &format!("/upstreams/shop.upstream/targets/{}/healthy", b.address)), 204);
    wait_for_targets(&gateway, "/x", &["a", "b"]);
}

#[test]
fn failed_connections_count_for_each_attempt() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start(PASSIVE, &[(&a, 100), (&b, 100)]);
    b.answer(0);
    eventually("tries at it have failed", || {
        assert_eq!(gateway.get("/x").status, 200, "another attempt succeeds");
        (health(&gateway) == ["HEALTHY", "UNHEALTHY"]).then_some(())
    });
    a.answer(0);
    let json = [("accept", "application/json")];
    eventually("no target is healthy", || (gateway.ask("GET", "/x", &json).status == 503).then_some(()));
    gateway.ask("GET", "/x", &json).assert_message(503, "failure to get a peer from the ring-balancer");
    assert_eq!(whole(&gateway), "UNHEALTHY");
}

#[test]
fn timeouts_exclude_a_target() {
    let (slow, a) = (crate::upstream::Upstream::start(), Target::start("a"));
    let text = config(PASSIVE, &[(&a, 100)])
        .replace("path: /base", "read_timeout: 100")
        .replace("targets: [", &format!("targets: [{{target: '{}'}}, ", slow.address));
    let gateway = Setup::with(&text).run();
    let mut statuses = [gateway.get("/hold").status, gateway.get("/hold").status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 504], "a request that timed out is not repeated");
    assert_eq!(health(&gateway), ["UNHEALTHY", "HEALTHY"]);
    assert_eq!(count(&ask(&gateway, "/x", 4), "a"), 4);
}

#[test]
fn health_outlives_a_reload() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let targets = [(&a, 100), (&b, 100)];
    let gateway = start(PASSIVE, &targets);
    assert_eq!(put(&gateway, &format!("/upstreams/shop.upstream/targets/{}/unhealthy", b.address)), 204);
    assert_eq!(health(&gateway), ["HEALTHY", "UNHEALTHY"]);
    // The Upstream is unchanged, so its health is kept.
    gateway
        .folder
        .write("kong.yaml", config(PASSIVE, &targets).replace("name: shop,", "name: shop, tags: [new],"));
    gateway.wait_for_log("1 route changed");
    assert_eq!(health(&gateway), ["HEALTHY", "UNHEALTHY"]);
    // The Upstream has one more target; the health of the others is kept.
    let c = Target::start("c");
    gateway.folder.write("kong.yaml", config(PASSIVE, &[(&c, 100), (&a, 100), (&b, 100)]));
    wait_for_health(&gateway, &["HEALTHY", "HEALTHY", "UNHEALTHY"]);
    wait_for_targets(&gateway, "/x", &["a", "c"]);
}

#[test]
fn checks_end_with_their_upstream_and_outlive_other_changes() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start(ACTIVE, &[(&a, 100), (&b, 100)]);
    eventually("both are checked", || (a.checks() > 0 && b.checks() > 0).then_some(()));
    gateway.folder.write("kong.yaml", config(ACTIVE, &[(&a, 100)]));
    wait_for_health(&gateway, &["HEALTHY"]);
    // A check may be in flight; after it, the checks of this Upstream stop, and those of the other continue.
    let (mut seen, mut quiet) = (b.checks(), 0);
    eventually("checks of the one that is gone stop", || {
        let mark = a.checks();
        eventually("the other is checked", || (a.checks() > mark + 2).then_some(()));
        quiet = if b.checks() == seen { quiet + 1 } else { 0 };
        seen = b.checks();
        (quiet == 3).then_some(())
    });
}

#[test]
fn below_the_threshold_all_requests_are_refused() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let checks = PASSIVE.replace("{passive:", "{threshold: 60, passive:");
    let gateway = start(&checks, &[(&a, 100), (&b, 100)]);
    assert_eq!((gateway.get("/x").status, whole(&gateway)), (200, "HEALTHY".into()));
    let place = format!("/upstreams/shop.upstream/targets/{}", b.address);
    assert_eq!(put(&gateway, &format!("{place}/{}/unhealthy", b.address)), 204);
    assert_eq!((gateway.get("/x").status, whole(&gateway)), (503, "UNHEALTHY".into()));
    assert_eq!(put(&gateway, &format!("{place}/healthy")), 204);
    assert_eq!(gateway.get("/x").status, 200);
}

#[test]
fn without_checks_health_cannot_be_set() {
    let a = Target::start("a");
    let gateway = start("healthchecks: {threshold: 60}", &[(&a, 100)]);
    assert_eq!((gateway.get("/x").status, whole(&gateway)), (200, "HEALTHCHECKS_OFF".into()));
    let place = gateway.admin_url(&format!("/upstreams/shop.upstream/targets/{}/unhealthy", a.address));
    let answer = Client::fresh().send("PUT", &place, &[], Some(b"")).unwrap();
    answer.assert_message(400, "no healthchecker found for shop.upstream");
    assert_eq!((gateway.get("/x").status, whole(&gateway)), (200, "HEALTHCHECKS_OFF".into()));
}

#[test]
fn idle_connections_to_an_excluded_target_are_closed() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start(PASSIVE, &[(&a, 100), (&b, 100)]);
    ask(&gateway, "/x", 4);
    assert_eq!([a.open(), b.open()], [1, 1]);
    assert_eq!(put(&gateway, &format!("/upstreams/shop.upstream/targets/{}/unhealthy", b.address)), 204);
    eventually("its connection is closed", || (b.open() == 0).then_some(()));
    assert_eq!(a.open(), 1);
}

#[test]
fn the_admin_api_has_kongs_format() {
    let a = Target::start("a");
    let gateway = start(PASSIVE, &[(&a, 70)]);
    let answer = gateway.admin("GET", "/upstreams/shop.upstream/health").json();
    let target = &answer["data"][0];
    let address =
        serde_json::json!({ "ip": "127.0.0.1", "port": a.address.port(), "weight": 70, "health": "HEALTHY" });
    assert_eq!((&target["target"], &target["weight"]), (&a.address.to_string().into(), &70.into()));
    assert_eq!(target["health"], "HEALTHY");
    assert_eq!(target["data"]["addresses"], Value::from(vec![address]));
    assert_eq!(
        target["data"]["weight"],
        serde_json::json!({ "total": 70, "available": 70, "unavailable": 0 })
    );
    assert_eq!((&target["data"]["dns"], &target["data"]["nodeWeight"]), (&"A".into(), &70.into()));
    assert!(answer["next"].is_null() && answer["node_id"].is_string(), "{answer}");
    let id = target["id"].as_str().unwrap();
    assert_eq!(put(&gateway, &format!("/upstreams/shop.upstream/targets/{id}/unhealthy")), 204);
    assert_eq!(health(&gateway), ["UNHEALTHY"]);
    for missing in ["/upstreams/none/targets/a:1/healthy", "/upstreams/shop.upstream/targets/b:1/healthy"] {
        assert_eq!(put(&gateway, missing), 404, "{missing}");
    }
    assert_eq!(gateway.admin("GET", "/upstreams/none/health").status, 404);
    assert_eq!(gateway.admin("POST", &format!("/upstreams/shop.upstream/targets/{id}/healthy")).status, 405);
}
