//! Load balancing of a Service whose host is an Upstream among its targets.

use crate::{
    client::Client,
    gateway::{Gateway, Setup},
    targets::{Target, ask, count},
};

/// A gateway with a Service on `/` and this Upstream.
pub(crate) fn start(upstream: &str, targets: &[(&Target, u32)]) -> Gateway {
    Setup::with(&config(upstream, targets)).run()
}

/// The same as a text.
pub(crate) fn config(upstream: &str, targets: &[(&Target, u32)]) -> String {
    let list: Vec<String> = targets
        .iter()
        .map(|(target, weight)| format!("{{target: '{}', weight: {weight}}}", target.address))
        .collect();
    format!(
        "\
_format_version: \"3.0\"
services:
- name: shop
  host: shop.upstream
  path: /base
  connect_timeout: 5000
  routes: [{{name: shop, paths: [/, '~/item/(?<id>[0-9]+)']}}]
upstreams:
- {{name: shop.upstream, {upstream}, targets: [{}]}}
",
        list.join(", ")
    )
}

#[test]
fn targets_get_requests_by_weight() {
    let (a, b, c) = (Target::start("a"), Target::start("b"), Target::start("c"));
    let gateway = start("slots: 10", &[(&a, 200), (&b, 100), (&c, 0)]);
    let met = ask(&gateway, "/x", 30);
    assert_eq!([count(&met, "a"), count(&met, "b"), count(&met, "c")], [20, 10, 0], "{met:?}");
    let three = [met[0].as_str(), met[1].as_str(), met[2].as_str()];
    assert_ne!(three, ["a", "a", "b"], "picks are interleaved");
}

#[test]
fn a_target_gets_its_own_name_as_host() {
    let target = Target::start("a");
    let gateway = start("slots: 10", &[(&target, 100)]);
    gateway.get("/x").assert_response(200, &format!("a {}", target.address));
    let port = target.address.port();
    let gateway = start("host_header: shop.test", &[(&target, 100)]);
    gateway.get("/x").assert_response(200, &format!("a shop.test:{port}"));
    let kept = config("host_header: shop.test", &[(&target, 100)])
        .replace("name: shop,", "name: shop, preserve_host: true,");
    let gateway = Setup::with(&kept).run();
    gateway.ask("GET", "/x", &[("host", "mine.test")]).assert_response(200, "a mine.test");
}

#[test]
fn an_upstream_without_targets_gets_503() {
    let gateway = start("slots: 10", &[]);
    let json = [("accept", "application/json")];
    gateway.ask("GET", "/x", &json).assert_message(503, "failure to get a peer from the ring-balancer");
    let target = Target::start("a");
    let gateway = start("slots: 10", &[(&target, 0)]);
    let answer = gateway.ask("GET", "/x", &json);
    answer.assert_message(503, "failure to get a peer from the ring-balancer");
    assert_eq!(answer.header("x-kong-upstream-latency"), "");
}

#[test]
fn a_failed_attempt_is_repeated_at_another_target() {
    let (gone, a) = (Target::start("gone"), Target::start("a"));
    let gateway = start("slots: 10", &[(&gone, 1000), (&a, 100)]);
    gone.answer(0);
    let met = ask(&gateway, "/x", 22);
    assert_eq!(count(&met, "a"), 22, "{met:?}");
    assert!(gone.requests() > 0);
}

#[test]
fn a_request_that_may_have_been_processed_is_not_retried() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start("slots: 10", &[(&a, 100), (&b, 100)]);
    a.answer(0);
    b.answer(0);
    assert_eq!(gateway.post("/x", &[], b"once").status, 502);
    assert_eq!(a.requests() + b.requests(), 1);
    let before = a.requests() + b.requests();
    assert_eq!(gateway.get("/x").status, 502);
    assert_eq!(a.requests() + b.requests() - before, 6, "one try, and five retries");
}

#[test]
fn least_connections_picks_the_least_busy_target() {
    let (busy, idle) = (crate::upstream::Upstream::start(), Target::start("idle"));
    let list = format!("{{target: '{}'}}, {{target: '{}'}}", busy.address, idle.address);
    let config =
        config("algorithm: least-connections", &[]).replace("targets: []", &format!("targets: [{list}]"));
    let gateway = Setup::with(&config).run();
    // The busy target has a request whose body does not end.
    let url = gateway.url("/stream");
    let streaming = std::thread::spawn(move || {
        while Client::fresh().send("GET", &url, &[], None).unwrap().text().starts_with("idle") {}
    });
    busy.wait_until("it is busy", |seen| seen.requests == 1);
    let met = ask(&gateway, "/x", 6);
    assert_eq!(count(&met, "idle"), 6, "{met:?}");
    busy.release();
    streaming.join().unwrap();
}

#[test]
fn latency_picks_the_fastest_target() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start("algorithm: latency", &[(&a, 100), (&b, 100)]);
    b.answer(0);
    ask(&gateway, "/x", 4);
    b.answer(200);
    // A failed connection counts as a latency of one second.
    let met = ask(&gateway, "/x", 6);
    assert_eq!(count(&met, "a"), 6, "{met:?}");
}

#[test]
fn a_reload_adds_and_removes_targets() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start("slots: 10", &[(&a, 100)]);
    assert_eq!(count(&ask(&gateway, "/x", 4), "a"), 4);
    gateway.folder.write("kong.yaml", config("slots: 10", &[(&a, 100), (&b, 100)]));
    crate::targets::wait_for_targets(&gateway, "/x", &["a", "b"]);
    gateway.folder.write("kong.yaml", config("slots: 10", &[(&b, 100)]));
    crate::targets::wait_for_targets(&gateway, "/x", &["b"]);
}

#[test]
fn connections_are_kept_for_each_target() {
    let (a, b) = (Target::start("a"), Target::start("b"));
    let gateway = start("slots: 10", &[(&a, 100), (&b, 100)]);
    ask(&gateway, "/x", 10);
    gateway.folder.write("kong.yaml", config("slots: 20", &[(&a, 100), (&b, 100)]));
    gateway.wait_for_log("1 upstream changed");
    ask(&gateway, "/x", 10);
    assert_eq!([a.connections(), b.connections()], [1, 1], "the pool outlives a reload");
}

#[test]
fn health_checks_over_tls_use_the_name_of_requests() {
    // Its routes are distinguished by the server name of the handshake.
    let inner = Setup::with(
        "\
_format_version: \"3.0\"
routes:
- {name: one, protocols: [https], snis: [one.test], plugins: [{name: request-termination, config: {message: one}}]}
- {name: two, protocols: [https], snis: [two.test], plugins: [{name: request-termination, config: {message: two}}]}
",
    );
    let inner = inner.start(&["run", "--proxy-listen", "127.0.0.1:0 ssl", "--admin-listen", "off"]);
    let address =
        inner.greeting.split("proxy https://").nth(1).unwrap().split([',', ';', ' ']).next().unwrap();
    let text = config("host_header: one.test", &[])
        .replace("targets: []", &format!("targets: [{{target: '{address}'}}]"))
        .replace("path: /base", "protocol: https");
    let gateway = Setup::with(&text).run();
    gateway.ask("GET", "/x", &[("accept", "application/json")]).assert_message(503, "one");
    let gateway = Setup::with(&text.replace("name: shop,", "name: shop, preserve_host: true,")).run();
    gateway.ask("GET", "/x", &[("host", "two.test")]).assert_message(503, "two");
}

#[test]
fn explain_names_the_upstream() {
    let target = Target::start("a");
    let gateway = start("host_header: shop.test", &[(&target, 100)]);
    let explanation = gateway.admin("GET", "/debug/explain?url=/x").json();
    assert_eq!(explanation["upstream"]["request"], "GET shop.upstream/base/x");
    let host = serde_json::json!(["host", format!("shop.test:{}", target.address.port())]);
    assert!(explanation["upstream"]["headers"].as_array().unwrap().contains(&host), "{explanation}");
}
