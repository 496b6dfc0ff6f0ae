//! `/metrics`: counters of requests by the plugin `prometheus`.

use std::collections::BTreeMap;

use crate::{
    eventually,
    gateway::{Gateway, Setup},
    targets::Target,
};

/// All samples of `/metrics` by name and labels, without the sums of times, which are not whole numbers.
#[track_caller]
fn samples(gateway: &Gateway) -> BTreeMap<String, u64> {
    let answer = gateway.admin("GET", "/metrics");
    assert_eq!(answer.header("content-type"), "text/plain; charset=UTF-8");
    let mut announced = "";
    let mut samples = BTreeMap::new();
    for line in answer.text().lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            announced = kind.split(' ').next().unwrap();
        } else if !line.starts_with('#') {
            assert!(line.starts_with(announced), "{line:?} does not belong to {announced}");
            let (sample, value) = line.rsplit_once(' ').unwrap();
            if sample.contains("_ms_sum{") {
                assert!(value.parse::<f64>().is_ok_and(|number| number >= 0.0), "{line}");
                continue;
            }
            let before = samples.insert(sample.to_owned(), value.parse().unwrap());
            assert_eq!(before, None, "{sample} is there twice");
        }
    }
    samples
}

/// Waits until a sample has this value: requests are counted after their last byte.
#[track_caller]
fn wait_for_sample(gateway: &Gateway, sample: &str, expected: u64) {
    eventually(&format!("{sample} is {expected}"), || {
        samples(gateway).get(sample).filter(|value| **value == expected).map(drop)
    });
}

/// The sample of requests with this route, status and source.
fn requests(route: &str, code: u16, source: &str, consumer: &str) -> String {
    format!(
        "kong_http_requests_total{{service=\"shop\",route=\"{route}\",code=\"{code}\",source=\"{source}\",\
         workspace=\"default\",consumer=\"{consumer}\"}}"
    )
}

/// A Service with two Routes, one of which the gateway answers, and top-level plugins.
fn config(target: &Target, plugins: &str) -> String {
    format!(
        "\
_format_version: \"3.0\"
services:
- name: shop
  host: shop.upstream
  routes:
  - {{name: items, paths: [/items]}}
  - {{name: closed, paths: [/closed], plugins: [{{name: request-termination, config: {{status_code: 410}}}}]}}
upstreams:
- {{name: shop.upstream, targets: [{{target: '{}'}}]}}
{plugins}",
        target.address
    )
}

const ALL: &str = "plugins: [{name: prometheus, config: {status_code_metrics: true, latency_metrics: true, \
     bandwidth_metrics: true, upstream_health_metrics: true}}]\n";

#[test]
fn requests_are_counted_by_route_status_and_source() {
    let target = Target::start("a");
    let gateway = Setup::with(&config(&target, ALL)).run();
    assert_eq!(samples(&gateway).get(&requests("items", 200, "service", "")), None, "no request yet");
    for _ in 0..3 {
        assert_eq!(gateway.get("/items").status, 200);
    }
    assert_eq!(gateway.get("/closed").status, 410);
    assert_eq!(gateway.get("/nothing").status, 404);
    wait_for_sample(&gateway, &requests("items", 200, "service", ""), 3);
    wait_for_sample(&gateway, &requests("closed", 410, "kong", ""), 1);
    target.answer(0);
    assert_eq!(gateway.get("/items").status, 502);
    wait_for_sample(&gateway, &requests("items", 502, "kong", ""), 1);
    let all = samples(&gateway);
    let of = |route: &str, name: &str, more: &str| {
        all[&format!("{name}{{service=\"shop\",route=\"{route}\",{more}workspace=\"default\"}}")]
    };
    assert_eq!(of("items", "kong_request_latency_ms_count", ""), 4);
    assert_eq!(of("items", "kong_upstream_latency_ms_count", ""), 4);
    assert_eq!(of("closed", "kong_kong_latency_ms_count", ""), 1);
    let whole =
        r#"kong_request_latency_ms_bucket{service="shop",route="items",workspace="default",le="+Inf"}"#;
    assert_eq!(all[whole], 4);
    assert!(
        !all.keys().any(|sample| sample.starts_with("kong_upstream_latency_ms") && sample.contains("closed"))
    );
    let bytes = |direction: &str| {
        all[&format!(
            "kong_bandwidth_bytes{{service=\"shop\",route=\"closed\",direction=\"{direction}\",\
             workspace=\"default\",consumer=\"\"}}"
        )]
    };
    assert!(bytes("ingress") > 30 && bytes("egress") > 30, "{} {}", bytes("ingress"), bytes("egress"));
    let health = |state: &str| {
        let address = target.address;
        all[&format!(
            "kong_upstream_target_health{{upstream=\"shop.upstream\",target=\"{address}\",address=\"{address}\",\
             state=\"{state}\",subsystem=\"http\"}}"
        )]
    };
    assert_eq!((health("healthchecks_off"), health("healthy"), health("dns_error")), (1, 0, 0));
}

#[test]
fn counters_continue_after_a_reload() {
    let target = Target::start("a");
    let gateway = Setup::with(&config(&target, ALL)).run();
    gateway.get("/items");
    wait_for_sample(&gateway, &requests("items", 200, "service", ""), 1);
    let changed = config(&target, ALL).replace("paths: [/items]", "paths: [/items, /more]");
    gateway.folder.write("kong.yaml", changed);
    gateway.wait_for_log("1 route changed");
    gateway.get("/more");
    wait_for_sample(&gateway, &requests("items", 200, "service", ""), 2);
    // A removed Route has no samples.
    let renamed = config(&target, ALL).replace("name: items", "name: things");
    gateway.folder.write("kong.yaml", renamed);
    gateway.wait_for_log("1 route added (things)");
    assert!(!samples(&gateway).contains_key(&requests("items", 200, "service", "")));
}

#[test]
fn without_the_plugin_no_request_is_counted() {
    let target = Target::start("a");
    let gateway = Setup::with(&config(&target, "")).run();
    gateway.get("/items");
    let all = samples(&gateway);
    assert!(!all.keys().any(|sample| sample.contains("items") || sample.contains("shop")), "{all:?}");
    // The settings of the plugin choose its metrics.
    let some = "plugins: [{name: prometheus, route: items, config: {status_code_metrics: true}}]\n";
    gateway.folder.write("kong.yaml", config(&target, some));
    gateway.wait_for_log("1 plugin added (prometheus)");
    gateway.get("/items");
    gateway.get("/closed");
    wait_for_sample(&gateway, &requests("items", 200, "service", ""), 1);
    let all = samples(&gateway);
    let others =
        |sample: &String| sample.contains("closed") || sample.contains("_ms") || sample.contains("bandwidth");
    assert!(!all.keys().any(others), "{all:?}");
}

#[test]
fn consumers_have_samples_of_their_own_if_configured() {
    let target = Target::start("a");
    let plugins = "plugins: [{name: key-auth}, {name: prometheus, config: {per_consumer: true, \
         status_code_metrics: true, bandwidth_metrics: true}}]\n\
         consumers: [{username: alice, keyauth_credentials: [{key: alice-key}]}]\n";
    let gateway = Setup::with(&config(&target, plugins)).run();
    assert_eq!(gateway.ask("GET", "/items", &[("apikey", "alice-key")]).status, 200);
    assert_eq!(gateway.get("/items").status, 401);
    wait_for_sample(&gateway, &requests("items", 200, "service", "alice"), 1);
    wait_for_sample(&gateway, &requests("items", 401, "kong", ""), 1);
    assert!(!samples(&gateway).contains_key(&requests("items", 200, "service", "")));
}

#[test]
fn the_node_reports_its_connections() {
    let target = Target::start("a");
    let gateway = Setup::with(&config(&target, "")).run();
    let node = gateway.admin("GET", "/").json()["node_id"].as_str().unwrap().to_owned();
    for _ in 0..5 {
        gateway.get("/items");
    }
    let state = |state: &str| {
        format!("kong_nginx_connections_total{{node_id=\"{node}\",subsystem=\"http\",state=\"{state}\"}}")
    };
    eventually("five connections and requests are counted", || {
        let all = samples(&gateway);
        let total = all[&format!("kong_nginx_requests_total{{node_id=\"{node}\",subsystem=\"http\"}}")];
        (all[&state("accepted")] >= 5 && total >= 5 && all[&state("handled")] == all[&state("accepted")])
            .then_some(())
    });
    eventually("so does /status", || {
        let server = gateway.status()["server"].clone();
        (server["connections_accepted"].as_u64()? >= 5 && server["total_requests"].as_u64()? >= 5)
            .then_some(())
    });
    assert!(samples(&gateway)["process_resident_memory_bytes"] > 1_000_000);
}
