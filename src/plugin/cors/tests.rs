//! Tests of headers by request, as observed at Kong, and of settings.

use std::collections::BTreeMap;

use super::*;
use crate::plugin::test_support;

/// The answer to `request` with `upstream` as the headers of the upstream's: whether it went upstream, and the
/// headers that CORS is about.
fn run(config: &Value, request: &str, upstream: &[(&str, &str)]) -> (bool, u16, BTreeMap<String, String>) {
    let plugin = test_support::plugin(&DEF, &config.to_json());
    let mut exchange = test_support::request(request);
    let own = test_support::access(&*plugin, &mut exchange);
    let proxied = own.is_none();
    let mut response = own.unwrap_or_else(|| {
        let mut response = reply::empty(StatusCode::OK);
        for (name, value) in upstream {
            response.headers_mut().insert(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        response
    });
    plugin.header_filter(&mut exchange, &mut response);
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in response.headers() {
        let value = value.to_str().unwrap();
        seen.entry(name.to_string())
            .and_modify(|all| *all = format!("{all} | {value}"))
            .or_insert(value.to_owned());
    }
    (proxied, response.status().as_u16(), seen)
}

#[test]
fn answers_as_kong_does() {
    let table = test_support::json(include_str!("../../../tests/kong-cases/cors-rules.json"));
    let cases = table.get("cases").unwrap().items();
    assert_eq!(cases.len(), 73);
    for case in cases {
        let field = |value: &Value, key: &str| value.get(key).cloned().unwrap_or_default();
        let pairs = |value: Value| -> Vec<(String, String)> {
            value.entries().map(|(key, value)| (key.to_owned(), value.as_str().unwrap().to_owned())).collect()
        };
        let (request, expect) = (field(case, "request"), field(case, "expect"));
        let method = field(&request, "method");
        let mut text = format!("{} /", method.as_str().unwrap());
        for (name, value) in pairs(field(&request, "headers")) {
            text = format!("{text}\n{name}: {value}");
        }
        let upstream = pairs(field(case, "upstream_headers"));
        let upstream: Vec<_> = upstream.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = (
            field(&expect, "proxied").as_bool().unwrap(),
            u16::try_from(field(&expect, "status").as_i64().unwrap_or(200)).unwrap(),
            pairs(field(&expect, "headers")).into_iter().collect(),
        );
        assert_eq!(
            run(&field(case, "config"), &text, &upstream),
            expected,
            "{}",
            field(case, "title").to_json()
        );
    }
}

#[track_caller]
fn check(config: &str, request: &str, expected: &[&str]) {
    let (_, _, headers) = run(&test_support::json(config), request, &[]);
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(headers, expected, "{config} {request}");
}

#[test]
fn a_list_may_hold_expressions_and_a_wildcard() {
    let vary = "vary: Origin";
    let list = r#"{"origins": ["(.*\\.)?rx\\.com", "http://a.com/"]}"#;
    check(
        list,
        "GET /\nOrigin: http://a.rx.com:8080",
        &["access-control-allow-origin: http://a.rx.com:8080", vary],
    );
    check(list, "GET /\nOrigin: http://a.com:80", &["access-control-allow-origin: http://a.com", vary]);
    check(list, "GET /\nOrigin: http://evilrx.com", &[vary]);
    check(list, "GET /\nOrigin: http://evil.com/rx.com", &[vary]);
    let everyone = r#"{"origins": ["https://a.com", "*"], "credentials": true}"#;
    let (named, credentials) =
        ("access-control-allow-origin: http://b.com", "access-control-allow-credentials: true");
    check(everyone, "GET /\nOrigin: http://b.com", &[credentials, named, vary]);
    check(everyone, "GET /", &[credentials, vary]);
    check(r#"{"max_age": 5.0}"#, "GET /\nOrigin: x", &["access-control-allow-origin: *"]);
}

#[test]
fn settings_are_checked() {
    for (config, expected) in [
        (
            "{origins: ['*', '[', 'a.b'], max_age: x}",
            "config.origins[1]: '[' is not a valid regex, config.max_age: expected a number",
        ),
        ("{origins: ['a.b', '(?R)y']}", "config.origins[1]: '(?R)y' cannot be used as a regex"),
        (
            "{methods: [GTE]}",
            "config.methods[0]: expected one of: GET, HEAD, PUT, PATCH, POST, DELETE, OPTIONS, TRACE, CONNECT",
        ),
        ("{max_age: '5'}", "config.max_age: expected a number"),
        ("{origins: '*'}", "config.origins: expected an array"),
        (
            "{headers: [\"a\\nb\"]}",
            "config.headers: cannot be the value of a header; use visible ASCII characters",
        ),
        ("{origins: ['*'], methods: [GET], max_age: 0.5}", ""),
    ] {
        assert_eq!(test_support::diagnostics(&DEF, config).join(", "), expected, "{config}");
    }
}
