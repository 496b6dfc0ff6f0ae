//! Routes that are expressions: validation and matching.

use serde_json::json;

use crate::{
    client::Client,
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

const EXPRESSIONS: (&str, &str) = ("KONG_ROUTER_FLAVOR", "expressions");

fn config(route: &str) -> String {
    format!("_format_version: \"3.0\"\nroutes:\n- {route}\n")
}

/// Checks that a file with this route is refused with this message.
#[track_caller]
fn refused(flavor: &str, route: &str, message: &str) {
    let setup = Setup::with(&config(route)).env(EXPRESSIONS.0, flavor);
    setup.call(&["check", "kong.yaml"]).is_refusal(message);
}

#[test]
fn other_flavors_refuse_expressions() {
    for flavor in ["traditional", "traditional_compatible"] {
        refused(flavor, "{name: r, expression: 'http.path == \"/\"'}", "unknown field");
        refused(flavor, "{name: r, paths: [/], priority: 1}", "unknown field");
    }
}

#[test]
fn an_expression_excludes_other_criteria() {
    let refused = |route: &str, message: &str| refused(EXPRESSIONS.1, route, message);
    let expression = "name: r, expression: 'http.path == \"/\"'";
    for field in [
        "methods: [GET]",
        "hosts: [a.test]",
        "headers: {a: [b]}",
        "sources: [{port: 1}]",
        "regex_priority: 1",
    ] {
        refused(&format!("{{{expression}, {field}}}"), "cannot be set together with 'expression'");
    }
    refused("{name: r, paths: [/], priority: 0}", "cannot be set without 'expression'");
    refused(&format!("{{{expression}, priority: 70368744177664}}"), "value should be between 0 and");
    refused(&format!("{{{expression}, priority: -1}}"), "value should be between 0 and");
    refused("{name: r}", "must set one of");
    refused("{name: r, expression: 'http.path = \"/\"'}", "invalid expression: expected binary_operator");
}

fn start(upstream: &Upstream) -> Gateway {
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- name: echo
  url: http://{}/base
  routes:
  - {{name: classic, paths: [/a/long/path]}}
  - {{name: second, expression: 'http.path ^= \"/a\"', priority: 1}}
  - {{name: first, expression: 'http.path ^= \"/a\" && http.queries.v == \"2\" && http.headers.x_k == \"w\"', priority: 70368744177663}}
  - {{name: group, expression: 'http.path ~ r#\"^/items/(?<id>\\d+)\"#'}}
",
        upstream.address
    );
    Setup::with(&config).env(EXPRESSIONS.0, EXPRESSIONS.1).run()
}

#[test]
fn expressions_come_before_all_other_routes() {
    let upstream = Upstream::start();
    let gateway = start(&upstream);
    for (path, target, prefix) in [
        ("/a/long/path/x", "/base/long/path/x", "/a"),
        ("/a?v=1", "/base?v=1", "/a"),
        ("/items/42/x", "/base/x", "/items/42"),
    ] {
        let echo = gateway.get(path).json();
        assert_eq!(
            (&echo["target"], &echo["headers"]["x-forwarded-prefix"]),
            (&json!(target), &json!(prefix)),
            "{path}"
        );
    }
    assert_eq!(gateway.get("/b").status, 404);
    let url = format!("http://{}/routes/second", gateway.address("admin"));
    let record = Client::fresh().send("GET", &url, &[], None).unwrap().json();
    assert_eq!((&record["expression"], &record["priority"]), (&json!("http.path ^= \"/a\""), &json!(1)));
}
