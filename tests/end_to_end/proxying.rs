//! Proxying: requests as the service gets them, responses as the client gets them.

use serde_json::Value;

use crate::{
    client::Client,
    gateway::{Gateway, Setup},
    upstream::{LARGE, Upstream, sum},
};

/// One service with a path of its own, and routes that treat paths and hosts differently.
fn config(upstream: &Upstream) -> String {
    format!(
        "\
_format_version: \"3.0\"
services:
- name: echo
  url: http://{}/base
  routes:
  - {{name: strips, paths: [/strips]}}
  - {{name: keeps, paths: [/keeps], strip_path: false}}
  - {{name: host, paths: [/host], preserve_host: true}}
  - {{name: pattern, paths: ['~/items/(?<id>\\d+)$'], strip_path: false}}
",
        upstream.address
    )
}

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let gateway = Setup::with(&config(&upstream)).run();
    (upstream, gateway)
}

/// The value of a field at the service; null if absent.
fn got<'a>(echo: &'a Value, name: &str) -> &'a str {
    echo["headers"][name].as_str().unwrap_or_default()
}

#[test]
fn paths_are_joined_as_kong_does() {
    let (_upstream, gateway) = start();
    for (path, target) in [
        ("/strips", "/base"),
        ("/strips/", "/base/"),
        ("/strips/a/b?x=%2F&y", "/base/a/b?x=%2F&y"),
        ("/stripsmore", "/base/more"),
        ("/keeps/a", "/base/keeps/a"),
        ("/keeps/a%20b/../c", "/base/keeps/c"),
        ("/items/42", "/base/items/42"),
    ] {
        assert_eq!(gateway.get(path).json()["target"], target, "{path}");
    }
    assert_eq!(gateway.get("/items/x").status, 404);
}

#[test]
fn the_service_receives_the_client_address() {
    let (upstream, gateway) = start();
    let sent = [
        ("user-agent", "test/1"),
        ("x-mine", "kept"),
        ("x-forwarded-for", "192.0.2.1"),
        ("via", "1.0 other"),
    ];
    let echo = gateway.ask("GET", "/strips/a", &sent).json();
    let port = gateway.address("proxy").rsplit(':').next().unwrap();
    for (name, value) in [
        ("host", upstream.address.to_string().as_str()),
        ("user-agent", "test/1"),
        ("x-mine", "kept"),
        ("x-forwarded-for", "192.0.2.1, 127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "127.0.0.1"),
        ("x-forwarded-port", port),
        ("x-forwarded-path", "/strips/a"),
        ("x-forwarded-prefix", "/strips"),
        ("x-real-ip", "127.0.0.1"),
        ("via", concat!("1.0 other, 1.1 mynah/", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(got(&echo, name), value, "{name}");
    }
    assert_eq!(got(&gateway.get("/host/a").json(), "host"), gateway.address("proxy"));
}

#[test]
fn hop_by_hop_fields_are_removed() {
    let (_upstream, gateway) = start();
    let sent = [
        ("connection", "keep-alive, x-secret"),
        ("x-secret", "s"),
        ("proxy-authorization", "p"),
        ("te", "gzip"),
    ];
    let echo = gateway.ask("GET", "/strips", &sent).json();
    for name in ["x-secret", "te", "keep-alive"] {
        assert_eq!(got(&echo, name), "", "{name}: {echo}");
    }
}

#[test]
fn the_client_receives_latencies() {
    let (_upstream, gateway) = start();
    let answer = gateway.get("/strips");
    assert_eq!(answer.header("x-upstream"), "here");
    assert_eq!(answer.header("via"), concat!("1.1 mynah/", env!("CARGO_PKG_VERSION")));
    for name in ["x-kong-upstream-latency", "x-kong-proxy-latency"] {
        assert!(answer.header(name).parse::<u64>().is_ok(), "{name}: {answer:?}");
    }
    assert_eq!(answer.header("x-kong-response-latency"), "");
    let id = answer.header("x-kong-request-id");
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(got(&answer.json(), "x-kong-request-id"), id);
    assert_ne!(gateway.get("/strips").header("x-kong-request-id"), id);
}

#[test]
fn every_method_and_body_is_forwarded() {
    let (_upstream, gateway) = start();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"] {
        assert_eq!(gateway.ask(method, "/strips", &[]).json()["method"], method);
    }
    let head = gateway.ask("HEAD", "/strips", &[]);
    assert_eq!((head.status, head.body.len(), head.header("x-upstream")), (200, 0, "here"));
    let echo = gateway.post("/strips", &[("content-type", "text/x")], b"name=mynah").json();
    assert_eq!((&echo["body"], got(&echo, "content-type")), (&Value::from("name=mynah"), "text/x"));
    assert_eq!(got(&echo, "content-length"), "10");
}

#[test]
fn large_bodies_are_forwarded_completely() {
    let (_upstream, gateway) = start();
    let large: Vec<u8> = (0..LARGE).map(|n| u8::try_from(n % 10_000 % 251).unwrap()).collect();
    let echo = gateway.post("/strips", &[], &large).json();
    assert_eq!((&echo["bytes"], &echo["sum"]), (&Value::from(LARGE), &Value::from(sum(&large))));
    let answer = gateway.get("/strips/large");
    assert!(answer.body == large, "{} of {LARGE} bytes, or others", answer.body.len());
}

#[test]
fn connections_to_the_service_are_reused() {
    let (upstream, gateway) = start();
    for _ in 0..20 {
        // Each client has a connection of its own.
        assert_eq!(gateway.get("/strips").status, 200);
    }
    assert_eq!((upstream.seen().connections, upstream.seen().requests), (1, 20));
}

#[test]
fn connections_of_clients_stay_open() {
    let (_upstream, gateway) = start();
    let mut raw = crate::raw::Raw::connect(gateway.address("proxy"));
    for n in 1..=5 {
        raw.send(&format!("GET /strips/n{n} HTTP/1.1\r\nHost: a.example\r\n\r\n"));
        raw.read_until(&format!("/base/n{n}"));
    }
    // An error response keeps the connection open, too.
    raw.send("GET /nowhere HTTP/1.1\r\nHost: a.example\r\n\r\n");
    raw.read_until("no Route matched");
    raw.send("GET /strips/last HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
    assert!(raw.read_to_end().contains("/base/last"));
}

#[test]
fn a_route_can_be_chosen_by_host_method_and_header() {
    let upstream = Upstream::start();
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- name: echo
  url: http://{}
  routes:
  - {{name: host, hosts: [shop.example], strip_path: true, paths: [/by]}}
  - {{name: method, methods: [DELETE], paths: [/by/method], strip_path: false}}
  - {{name: header, headers: {{x-version: [v2]}}, paths: [/by/header], strip_path: false}}
",
        upstream.address
    );
    let gateway = Setup::with(&config).run();
    let status = |method: &str, path: &str, header: (&str, &str)| gateway.ask(method, path, &[header]).status;
    assert_eq!(status("GET", "/by/host", ("host", "shop.example")), 200);
    assert_eq!(status("GET", "/by/host", ("host", "other.example")), 404);
    assert_eq!(status("DELETE", "/by/method", ("x-a", "b")), 200);
    assert_eq!(status("GET", "/by/method", ("x-a", "b")), 404);
    assert_eq!(status("GET", "/by/header", ("x-version", "v2")), 200);
    assert_eq!(status("GET", "/by/header", ("x-version", "v1")), 404);
}

#[test]
fn connections_of_clients_and_to_the_service_are_kept_together() {
    let (upstream, gateway) = start();
    let client = Client::kept();
    for _ in 0..10 {
        assert_eq!(client.send("GET", &gateway.url("/strips"), &[], None).unwrap().status, 200);
    }
    assert_eq!(upstream.seen().connections, 1);
}
