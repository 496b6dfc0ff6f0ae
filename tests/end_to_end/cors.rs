//! CORS: responses of a mock to a page of another origin.

use crate::{
    client::Answer,
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

const PAGE: &str = "https://portal.example";

/// A mock and a service behind the same plugin.
fn config(cors: &str, upstream: &str) -> String {
    let specification = r#"{"openapi": "3.0.0", "info": {"title": "t", "version": "1"}, "paths": {"/mock": {"put": {"responses": {"200": {"description": "d", "content": {"application/json": {"example": 1}}}}}}}}"#;
    format!(
        "\
_format_version: \"3.0\"
plugins:
- {{name: cors, config: {cors}}}
services:
- name: a
  url: http://{upstream}
  routes:
  - name: mock
    paths: [/mock]
    strip_path: false
    plugins:
    - name: mocking
      config: {{api_specification: '{specification}'}}
  - name: plain
    paths: [/plain]
    strip_path: false
"
    )
}

/// The preflight request of a browser.
fn preflight(gateway: &Gateway, path: &str) -> Answer {
    let asks = [
        ("origin", PAGE),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "content-type,x-kong-mocking-delay"),
    ];
    gateway.ask("OPTIONS", path, &asks)
}

#[track_caller]
fn check(answer: &Answer, expected: &[(&str, &str)]) {
    let found: Vec<_> = expected.iter().map(|(name, _)| (*name, answer.header(name))).collect();
    assert_eq!(found, expected, "{answer:?}");
}

#[test]
fn any_page_may_call_the_mock() {
    let gateway = Setup::with(&config("{origins: [\"*\"]}", "127.0.0.1:1")).run();
    let answer = preflight(&gateway, "/mock");
    answer.assert_response(200, "");
    check(
        &answer,
        &[
            ("access-control-allow-origin", "*"),
            ("access-control-allow-headers", "content-type,x-kong-mocking-delay"),
            ("access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT"),
            ("access-control-allow-credentials", ""),
            ("x-kong-mocking-plugin", ""),
        ],
    );
    let answer = gateway.ask("PUT", "/mock", &[("origin", PAGE)]);
    answer.assert_response(200, "1");
    check(&answer, &[("access-control-allow-origin", "*"), ("x-kong-mocking-plugin", "true")]);
}

#[test]
fn a_preflight_does_not_reach_the_service() {
    let upstream = Upstream::start();
    let gateway = Setup::with(&config("{}", &upstream.address.to_string())).run();
    preflight(&gateway, "/plain").assert_response(200, "");
    assert_eq!(upstream.seen().requests, 0);
    let answer = gateway.ask("GET", "/plain", &[("origin", PAGE)]);
    check(&answer, &[("access-control-allow-origin", "*"), ("x-upstream", "here")]);
    // Without preflight fields OPTIONS is a method like any other.
    assert_eq!(gateway.ask("OPTIONS", "/plain", &[]).json()["method"], "OPTIONS");
}

#[test]
fn allowed_origins_can_be_listed() {
    let cors = format!(
        "{{origins: ['{PAGE}', 'https://b.example'], credentials: true, max_age: 600, exposed_headers: [x-a, x-b]}}"
    );
    let gateway = Setup::with(&config(&cors, "127.0.0.1:1")).run();
    let answer = gateway.ask("PUT", "/mock", &[("origin", PAGE)]);
    check(
        &answer,
        &[
            ("access-control-allow-origin", PAGE),
            ("access-control-allow-credentials", "true"),
            ("access-control-expose-headers", "x-a,x-b"),
            ("vary", "Origin"),
        ],
    );
    check(
        &preflight(&gateway, "/mock"),
        &[("access-control-allow-origin", PAGE), ("access-control-max-age", "600")],
    );
    let stranger = gateway.ask("PUT", "/mock", &[("origin", "https://c.example")]);
    check(&stranger, &[("access-control-allow-origin", ""), ("vary", "Origin")]);
}

#[test]
fn with_credentials_the_origin_is_reflected() {
    let gateway = Setup::with(&config("{origins: [\"*\"], credentials: true}", "127.0.0.1:1")).run();
    let answer = gateway.ask("PUT", "/mock", &[("origin", PAGE)]);
    check(
        &answer,
        &[
            ("access-control-allow-origin", PAGE),
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin"),
        ],
    );
}

#[test]
fn a_page_can_read_the_error_of_a_missing_route() {
    let gateway = Setup::with(&config("{}", "127.0.0.1:1")).run();
    let answer = gateway.ask("GET", "/nowhere", &[("origin", PAGE)]);
    assert_eq!(answer.status, 404);
    check(&answer, &[("access-control-allow-origin", "*")]);
}
