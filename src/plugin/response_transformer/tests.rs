//! Tests of the rules for responses, with bodies in one piece and in several.

use super::*;
use crate::plugin::test_support;

fn response(headers: &[&str], body: Body) -> HttpResponse {
    let mut response = HttpResponse::new(body);
    for header in headers {
        let (name, value) = header.split_once(": ").unwrap();
        response.headers_mut().append(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    response
}

#[track_caller]
fn check_headers(config: &str, upstream: &[&str], expected: &[&str]) {
    let plugin = test_support::plugin(&DEF, config);
    let mut response = response(upstream, Body::Empty);
    plugin.header_filter(&mut test_support::request("GET /"), &mut response);
    assert_eq!(test_support::headers(response.headers()), expected, "{config}");
}

#[test]
fn headers_change_in_order() {
    check_headers("{remove: {headers: [X-Powered-By]}}", &["x-powered-by: php", "a: 1"], &["a: 1"]);
    check_headers("{rename: {headers: ['a:b', 'c:d']}}", &["a: 1", "a: 2"], &["b: 1", "b: 2"]);
    check_headers("{replace: {headers: ['a:9', 'b:9']}}", &["a: 1", "a: 2"], &["a: 9"]);
    check_headers("{add: {headers: ['a: 9', 'b: no:sniff']}}", &["a: 1"], &["a: 1", "b: no:sniff"]);
    check_headers("{append: {headers: ['a:9', 'b:8']}}", &["a: 1"], &["a: 1", "a: 9", "b: 8"]);
    let all = "{remove: {headers: [a]}, rename: {headers: ['b:a']}, add: {headers: ['a:3', 'b:4']}}";
    check_headers(all, &["a: 1", "b: 2"], &["a: 2", "b: 4"]);
}

/// The body in one piece and in two must come out the same.
#[track_caller]
fn check_body(config: &str, media_type: &str, body: &str, expected: &str) {
    let plugin = test_support::plugin(&DEF, config);
    for body in [Body::Full(body.to_owned().into()), test_support::pieces(body)] {
        let mut response = response(&[&format!("content-type: {media_type}"), "content-length: 5"], body);
        plugin.header_filter(&mut test_support::request("GET /"), &mut response);
        let changes = media_type.starts_with("application/json");
        assert_eq!(response.headers().contains_key(CONTENT_LENGTH), !changes);
        assert_eq!(test_support::text(response.into_body()), expected, "{config}");
    }
}

#[test]
fn members_change_in_order() {
    let json = "application/json; charset=utf-8";
    check_body("{remove: {json: [a]}}", json, r#"{"a":1,"b":1.50}"#, r#"{"b":1.50}"#);
    check_body("{rename: {json: ['a:c']}}", json, r#"{"a":1,"b":2}"#, r#"{"b":2,"c":1}"#);
    check_body("{replace: {json: ['a:x', 'c:y']}}", json, r#"{"a":1}"#, r#"{"a":"x"}"#);
    check_body("{add: {json: ['a:x', 'c: y:z']}}", json, r#"{"a":1}"#, r#"{"a":1,"c":" y:z"}"#);
    check_body(
        "{append: {json: ['a:x', 'b:y', 'c:z']}}",
        json,
        r#"{"a":"1","b":[2]}"#,
        r#"{"a":["1","x"],"b":[2,"y"],"c":["z"]}"#,
    );
    let types = "{add: {json: ['n:1.50', 'b:true', 's:1'], json_types: [number, boolean]}}";
    check_body(types, json, "{}", r#"{"n":1.50,"b":true,"s":"1"}"#);
    check_body("{remove: {json: [a]}}", "text/plain", r#"{"a":1}"#, r#"{"a":1}"#);
    check_body("{remove: {json: [a]}}", json, r#"[{"a":1}]"#, r#"[{"a":1}]"#);
    check_body("{remove: {json: [a]}}", json, "no json", "no json");
}

/// `{"a":1,"debug":true}`, encoded.
const ENCODED: [(&str, &str); 4] = [
    ("gzip", "1f8b0800000000000003ab564a54b232d4514a494d2a4d57b22a292a4dad0500dfe96bfd14000000"),
    ("br", "8b09807b2261223a312c226465627567223a747275657d03"),
    ("deflate", "789cab564a54b232d4514a494d2a4d57b22a292a4dad05003d17067a"),
    ("deflate", "ab564a54b232d4514a494d2a4d57b22a292a4dad0500"),
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn encoded_bodies_are_decoded_and_changed() {
    let plugin = test_support::plugin(&DEF, "{remove: {json: [debug]}}");
    for (coding, hex) in ENCODED {
        let encoded = bytes(hex);
        let (head, rest) = encoded.split_at(5);
        let frames = [head, rest].map(|piece| http_body::Frame::data(piece.to_vec().into()));
        let pieces = Body::prefixed(frames.into_iter().collect(), Body::Empty);
        for body in [Body::Full(encoded.clone().into()), Body::boxed(pieces)] {
            let fields =
                ["content-type: application/json", "etag: \"1\"", &format!("content-encoding: {coding}")];
            let mut response = response(&fields, body);
            plugin.header_filter(&mut test_support::request("GET /"), &mut response);
            let fields = test_support::headers(response.headers());
            assert_eq!(fields, ["content-type: application/json", "etag: W/\"1\""], "{coding}");
            assert_eq!(test_support::text(response.into_body()), r#"{"a":1}"#, "{coding}");
        }
    }
}

#[test]
fn bodies_of_other_codings_are_unchanged_and_not_asked_for() {
    let plugin = test_support::plugin(&DEF, "{remove: {json: [debug]}}");
    let fields = ["content-type: application/json", "content-encoding: zstd", "content-length: 3"];
    let mut response = response(&fields, Body::Full("abc".into()));
    plugin.header_filter(&mut test_support::request("GET /"), &mut response);
    assert_eq!(test_support::headers(response.headers()), fields);
    assert_eq!(test_support::text(response.into_body()), "abc");
    let mut exchange = test_support::request("GET /\naccept-encoding: gzip, zstd");
    assert!(test_support::access(&*plugin, &mut exchange).is_none());
    assert_eq!(test_support::headers(&exchange.edited_fields()), ["accept-encoding: gzip"]);
    let plugin = test_support::plugin(&DEF, "{remove: {headers: [debug]}}");
    let mut exchange = test_support::request("GET /\naccept-encoding: gzip, zstd");
    assert!(test_support::access(&*plugin, &mut exchange).is_none());
    assert_eq!(test_support::headers(&exchange.edited_fields()), ["accept-encoding: gzip, zstd"]);
}

#[test]
fn settings_are_checked() {
    for (config, expected) in [
        ("{add: {headers: ['a b:c']}}", "config.add.headers[0]: 'a b' is not a valid header"),
        ("{rename: {headers: ['a:b c']}}", "config.rename.headers[0]: 'b c' is not a valid header"),
        ("{add: {json: ['a:x'], json_types: [number]}}", "config.add.json[0]: 'x' is not a number"),
        ("{add: {json_types: [date]}}", "config.add.json_types[0]: expected one of: boolean, number, string"),
    ] {
        assert_eq!(test_support::diagnostics(&DEF, config), [expected], "{config}");
    }
    let checked = test_support::config(&DEF, "{add: {headers: [a]}}");
    assert!(compile(&checked.setup()).is_ok());
    let warnings = test_support::draw(&checked.warnings.borrow());
    assert_eq!(warnings, ["config.add.headers[0]: 'a' has no value and does nothing"]);
}
