//! `explain`: which route a request would get, and why, from the command line and from the Admin API.

use serde_json::{Value, json};

use crate::gateway::Setup;

const CONFIG: &str = "\
_format_version: \"3.0\"
services:
- name: stock
  url: http://stock.example:8080/api
  routes:
  - name: quotes
    paths: [/stock/quotes]
    plugins:
    - name: key-auth
    - name: cors
  - name: everything
    paths: [/stock]
  - name: one-host
    hosts: [shop.example]
    paths: [/stock]
  - name: secure
    paths: [/secure]
    protocols: [https]
routes:
- name: nowhere
  paths: [/nowhere]
consumers:
- username: alice
  plugins: [{name: request-termination}]
plugins:
- name: correlation-id
";

/// Checks the output of `explain` without the header fields.
#[track_caller]
fn check(arguments: &[&str], expected: &str) {
    let mut all = vec!["explain"];
    all.extend(arguments);
    let outcome = Setup::with(CONFIG).call(&all);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    // The header fields come last.
    let end = outcome.stdout.find("           host: ").unwrap_or(outcome.stdout.len());
    assert_eq!(&outcome.stdout[..end], expected, "{arguments:?}");
}

#[test]
fn the_matching_route_and_the_other_candidates_are_listed() {
    check(
        &["GET", "/stock/quotes/7?a=b"],
        "\
request    GET localhost:8000/stock/quotes/7
route      quotes, matched /stock/quotes
not        everything, matched /stock: quotes wins, its prefix is longer
plugins    correlation-id (100001)
           cors (2000)
           key-auth (1250)
           request-termination (2), for 1 consumer only
upstream   GET stock.example:8080/api/7?a=b
",
    );
    check(
        &["POST", "http://shop.example/stock/quotes"],
        "\
request    POST shop.example/stock/quotes
route      one-host, matched /stock
not        quotes, matched /stock/quotes: one-host wins, none of its hosts has a wildcard
           everything, matched /stock: one-host wins, none of its hosts has a wildcard
plugins    correlation-id (100001)
           request-termination (2), for 1 consumer only
upstream   POST stock.example:8080/api/quotes
",
    );
}

#[test]
fn explain_shows_the_gateways_own_responses() {
    let plugins = "plugins    correlation-id (100001)\n";
    let own = format!("{plugins}           request-termination (2), for 1 consumer only\n");
    for (url, expected) in [
        ("/other", format!("{plugins}answer     404: no Route matched with those values\n")),
        (
            "/secure",
            format!("route      secure, matched /secure\n{own}answer     426: the route is for https only\n"),
        ),
        (
            "/nowhere",
            format!("route      nowhere, matched /nowhere\n{own}answer     503: the route has no service\n"),
        ),
        ("/a%00", "answer     400: the request is malformed\n".to_owned()),
    ] {
        check(
            &["GET", url],
            &format!("request    GET localhost:8000{}\n{expected}", url.replace("%00", "\0")),
        );
    }
}

#[test]
fn headers_are_evaluated_and_shown() {
    let arguments =
        ["explain", "GET", "/stock", "-H", "Host: shop.example", "-H", "X-A: 1", "--format", "json"];
    let outcome = Setup::with(CONFIG).call(&arguments);
    let explanation: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(explanation["routes"][0]["route"], "one-host");
    let headers = explanation["upstream"]["headers"].as_array().unwrap();
    let value = |name: &str| headers.iter().find(|header| header[0] == name).map(|header| header[1].clone());
    for (name, expected) in [
        ("host", "stock.example:8080"),
        ("x-a", "1"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-prefix", "/stock"),
        ("x-real-ip", "127.0.0.1"),
    ] {
        assert_eq!(value(name), Some(expected.into()), "{name} {explanation}");
    }
}

#[test]
fn the_admin_api_explains_too() {
    let gateway = Setup::with(CONFIG).run();
    let explanation =
        gateway.admin("GET", "/debug/explain?method=GET&url=/stock&header=Host:%20shop.example").json();
    let [winner, loser] = [&explanation["routes"][0], &explanation["routes"][1]];
    assert_eq!(
        (&winner["route"], &winner["rank"], &winner["lost"]),
        (&"one-host".into(), &1.into(), &Value::Null)
    );
    assert_eq!((&loser["route"], &loser["rank"]), (&"everything".into(), &2.into()));
    assert!(loser["lost"].as_str().unwrap().starts_with("one-host wins: "), "{explanation}");
    assert_eq!(gateway.admin("GET", "/debug/explain").status, 400);
    gateway
        .admin("GET", "/debug/explain?url=stock")
        .assert_message(400, "\"stock\" is not a URL; write http://localhost:8000/path, or /path");
}

#[test]
fn a_request_that_a_plugin_answers_has_no_upstream() {
    let document = r#"{"openapi": "3.0.0", "info": {"title": "a", "version": "1"}, "paths": {
        "/pets": {"get": {"responses": {"200": {"description": "ok", "content": {"application/json":
            {"examples": {"cat": {"value": 1}}}}}}}}}}"#;
    let gateway = Setup::with(
        "\
_format_version: \"3.0\"
services:
- name: shop
  url: http://shop.example
  routes:
  - name: pets
    paths: [/pets]
    strip_path: false
    plugins: [{name: mocking, config: {api_specification_filename: pets.json}}]
  - name: closed
    paths: [/closed]
    plugins: [{name: request-termination, config: {status_code: 418, trigger: stop}}]
",
    )
    .file("specs/pets.json", document)
    .run();
    for (query, expected) in [
        (
            "url=/pets",
            json!({
                "status": 200, "plugin": "mocking",
                "reason": "mocking: GET /pets of the document, its example cat",
            }),
        ),
        (
            "url=/pets&header=X-Mynah-Mocking-Fault:503",
            json!({
                "status": 503, "plugin": "mocking",
                "reason": "mocking: the fault that the request asks for",
            }),
        ),
        (
            "url=/closed?stop=1",
            json!({ "status": 418, "plugin": "request-termination", "reason": "request-termination" }),
        ),
        ("url=/closed", Value::Null),
    ] {
        let explanation = gateway.admin("GET", &format!("/debug/explain?{query}")).json();
        assert_eq!(explanation["answer"], expected, "{explanation}");
        assert_eq!(explanation["upstream"].is_null(), !expected.is_null(), "{explanation}");
    }
}

#[test]
fn an_invalid_request_is_rejected() {
    let setup = Setup::with(CONFIG);
    setup.call(&["explain", "GET", "ftp://a"]).is_refusal("is not a URL");
    setup.call(&["explain", "GET", "/a", "-H", "x"]).is_refusal("is not a header");
    Setup::with("a: b").call(&["explain", "GET", "/a"]).is_refusal("unknown field");
}

#[test]
fn routes_that_rank_differently_than_documented_are_reported() {
    let text = "\
_format_version: \"3.0\"
routes:
- name: plain-host
  hosts: [a.example]
- name: two-kinds
  paths: [/a]
  methods: [GET]
";
    let outcome = Setup::with(text).call(&["check", "kong.yaml"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("warning") && outcome.stderr.contains("two-kinds"), "{outcome:?}");
}
