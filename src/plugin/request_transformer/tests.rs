//! Tests of the rules for each part of a request.

use super::*;
use crate::plugin::test_support;

/// The request that goes upstream: method and target, headers, body.
#[track_caller]
fn check(config: &str, request: &str, expected: &str) {
    let plugin = test_support::plugin(&DEF, config);
    let mut exchange = test_support::request(request);
    exchange.captures = vec![("id".to_owned(), "4 2".to_owned())];
    assert!(test_support::access(&*plugin, &mut exchange).is_none());
    let query = exchange.upstream_query().map_or_else(String::new, |query| format!("?{query}"));
    let mut lines = vec![format!("{} {}{query}", exchange.upstream_method(), exchange.head().path())];
    lines.extend(exchange.upstream.path().map(|path| format!("path {path}")));
    lines.extend(exchange.upstream.host().map(|host| format!("host {}", host.to_str().unwrap())));
    lines.extend(test_support::headers(&exchange.edited_fields()));
    let body = test_support::text(exchange.body);
    let body = if body.is_empty() { body } else { format!("\n\n{body}") };
    assert_eq!(format!("{}{body}", lines.join("\n")), expected, "{config}");
}

#[test]
fn method_and_path_are_transformed() {
    check("{http_method: PUT}", "GET /a?b", "PUT /a?b");
    let path = "{replace: {uri: '/x/$(uri_captures.id)/$(query_params.q or \"none\")'}}";
    check(path, "GET /a?q=b%3F", "GET /a?q=b%3F\npath /x/4%202/b%3F");
    check(path, "GET /a", "GET /a\npath /x/4%202/none");
}

#[test]
fn headers_are_transformed() {
    check("{remove: {headers: [Authorization]}}", "GET /\nauthorization: x\na: 1", "GET /\na: 1");
    check("{rename: {headers: ['a:b']}}", "GET /\na: 1", "GET /\nb: 1");
    check("{replace: {headers: ['a:9', 'b:9']}}", "GET /\na: 1", "GET /\na: 9");
    check(
        "{add: {headers: ['Connection: Upgrade', 'a:9']}}",
        "GET /\na: 1",
        "GET /\na: 1\nconnection: Upgrade",
    );
    check("{append: {headers: ['a:9']}}", "GET /\na: 1", "GET /\na: 1\na: 9");
    let token = "{replace: {headers: ['Authorization: Bearer $(headers.apikey)']}}";
    check(token, "GET /\nauthorization: x\napikey: k", "GET /\nauthorization: Bearer k\napikey: k");
    check(
        "{replace: {headers: ['Host: b.test']}}",
        "GET /\nhost: a.test",
        "GET /\nhost b.test\nhost: b.test",
    );
    check("{add: {headers: ['a: $(query_params.q)']}}", "GET /?q=x%0Ay", "GET /?q=x%0Ay");
}

#[test]
fn a_rendered_host_is_valid_or_the_host_is_unchanged() {
    let host = "{replace: {headers: ['Host: $(query_params.h)']}}";
    for (query, expected) in [
        ("h=b.test:81", "host b.test:81\nhost: b.test:81"),
        ("h=evil%20x", "host: a.test"),
        ("h=b.test%0D%0Ax:y", "host: a.test"),
        ("h=b.test/x", "host: a.test"),
        ("h=u@b.test", "host: a.test"),
        ("", "host: a.test"),
    ] {
        check(
            host,
            &format!("GET /?{query}\nhost: a.test"),
            &format!("GET /?{query}\n{expected}").replace("?\n", "?\n"),
        );
    }
}

#[test]
fn paths_begin_with_a_slash() {
    let path = "{replace: {uri: '$(query_params.p)'}}";
    for (given, expected) in [
        ("%2Fa", "/a"),
        ("a", "/a"),
        ("*", "/*"),
        ("", "/"),
        ("%2Fa%0D%0A%23b%20%C3%A9", "/a%0D%0A%23b%20%C3%A9"),
    ] {
        check(path, &format!("GET /?p={given}"), &format!("GET /?p={given}\npath {expected}"));
    }
}

#[test]
fn rules_act_on_what_goes_upstream() {
    let settings = "{add: {headers: ['x-seen:$(headers.x_consumer_username)']}}";
    let forged = "GET /\nx-consumer-username: admin\nconnection: x-hop\nx-hop: 1";
    let left = "GET /\nx-consumer-username: admin\nconnection: x-hop\nx-hop: 1\nx-seen: ";
    check(settings, forged, left);
    let plugin =
        test_support::plugin(&DEF, "{rename: {headers: ['x-consumer-username:x-user', 'x-hop:x-b']}}");
    let mut exchange = test_support::request(forged);
    assert!(test_support::access(&*plugin, &mut exchange).is_none());
    assert!(exchange.upstream.edits().is_empty(), "what does not go upstream cannot be renamed");
}

#[test]
fn the_query_is_transformed() {
    check("{remove: {querystring: [a]}}", "GET /?a=1&b=%41&a", "GET /?b=%41");
    check("{remove: {querystring: [a]}}", "GET /?a=1", "GET /");
    check("{rename: {querystring: ['a:c d']}}", "GET /?a=%41&b", "GET /?c%20d=%41&b");
    check("{replace: {querystring: ['a:x&y', 'c:9']}}", "GET /?b&a=1&a=2", "GET /?b&a=x%26y");
    check("{add: {querystring: ['a:9', 'b:$(headers.x)']}}", "GET /?a=1\nx: y", "GET /?a=1&b=y\nx: y");
    check("{append: {querystring: ['a:9']}}", "GET /?a=1", "GET /?a=1&a=9");
}

#[test]
fn bodies_are_transformed() {
    let all = "{remove: {body: [a]}, rename: {body: ['b:c']}, replace: {body: ['d:$(headers.x)']}, add: {body: ['e:1']}, append: {body: ['e:2']}}";
    let json = "content-type: application/json";
    check(
        all,
        &format!("POST /\nx: y\n{json}\n\n{{\"a\":1,\"b\":2.50,\"d\":3}}"),
        &format!(
            "POST /\nx: y\n{json}\ncontent-length: 39\n\n{{\"d\":\"y\",\"c\":2.50,\"e\":[\"1\",\"2\"]}}"
        )
        .replace("39", &r#"{"d":"y","c":2.50,"e":["1","2"]}"#.len().to_string()),
    );
    let form = "content-type: application/x-www-form-urlencoded";
    check(
        all,
        &format!("POST /\n{form}\n\na=1&b=%41&d=3"),
        &format!("POST /\n{form}\ncontent-length: 16\n\nc=%41&d=&e=1&e=2"),
    );
    check(
        all,
        &format!("POST /\n{json}\n\nno json"),
        &format!("POST /\n{json}\ncontent-length: 7\n\nno json"),
    );
    check(
        "{add: {body: ['e:1']}}",
        &format!("POST /\n{json}"),
        &format!("POST /\n{json}\ncontent-length: 9\n\n{{\"e\":\"1\"}}"),
    );
    check(all, "POST /\ncontent-type: text/plain\n\na=1", "POST /\ncontent-type: text/plain\n\na=1");
}

const MULTIPART: &str = "content-type: multipart/form-data; boundary=b";

/// A field of a form.
fn field(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// A file of a form, with bytes that look like line ends and delimiters.
fn file(name: &str) -> String {
    let content = "\u{0}\r\n\n--bb\r\n --b\r\nx";
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"a.bin\"\r\nContent-Type: image/png\r\n\r\n{content}\r\n"
    )
}

/// The body that goes upstream, for a multipart body of these parts.
#[track_caller]
fn check_multipart(config: &str, parts: &[String], expected: &[String]) {
    let plugin = test_support::plugin(&DEF, config);
    let body = format!("{}--b--\r\n", parts.concat());
    let mut exchange = test_support::request(&format!("POST /?q=v\n{MULTIPART}\n\n{body}"));
    assert!(test_support::access(&*plugin, &mut exchange).is_none());
    let expected = format!("{}--b--\r\n", expected.concat());
    let length = exchange.edited_fields().get("content-length").cloned();
    assert_eq!(length.unwrap().to_str().unwrap(), expected.len().to_string(), "{config}");
    assert_eq!(test_support::text(exchange.body), expected, "{config}");
}

#[test]
fn multipart_bodies_are_transformed_and_files_stay_intact() {
    let form = [field("user", "ada"), field("password", "secret"), file("photo")];
    let [user, password, photo] = form.clone();
    for (config, expected) in [
        ("{remove: {body: [password, none]}}", vec![user.clone(), photo.clone()]),
        ("{remove: {body: [photo]}}", vec![user.clone(), password.clone()]),
        ("{remove: {body: [user, password, photo]}}", vec![]),
        ("{rename: {body: ['user:name']}}", vec![field("name", "ada"), password.clone(), photo.clone()]),
        ("{rename: {body: ['photo:image']}}", vec![user.clone(), password.clone(), file("image")]),
        ("{rename: {body: ['user:password']}}", vec![field("password", "ada"), photo.clone()]),
        ("{rename: {body: ['user:password']}, remove: {body: [password]}}", vec![photo.clone()]),
        (
            "{replace: {body: ['user:$(query_params.q)', 'none:1']}}",
            vec![field("user", "v"), password.clone(), photo.clone()],
        ),
        ("{replace: {body: ['photo:none']}}", vec![user.clone(), password.clone(), field("photo", "none")]),
        (
            "{add: {body: ['user:x', 'a\"b:$(query_params.q)']}}",
            vec![user.clone(), password.clone(), photo.clone(), field("a%22b", "v")],
        ),
        ("{append: {body: ['user:x']}}", vec![user, password, photo, field("user", "x")]),
        ("{remove: {body: [none]}}", form.to_vec()),
    ] {
        check_multipart(config, &form, &expected);
    }
}

#[test]
fn parts_that_a_lenient_upstream_reads_are_transformed() {
    let config = "{remove: {body: [password]}, add: {body: ['a:1']}}";
    let (user, added) = (field("user", "ada"), field("a", "1"));
    let password = field("password", "secret");
    for (body, expected) in [
        (
            format!("preamble\r\n{user}{password}--b--\r\nepilogue"),
            format!("preamble\r\n{user}{added}--b--\r\nepilogue"),
        ),
        (format!("{user}{password}"), format!("{user}{added}--b--\r\n")),
        (format!("{password}{}", user.trim_end()), format!("{user}{added}--b--\r\n")),
        (
            format!("{user}{password}--b--").replace("\r\n", "\n"),
            format!("{}{added}--b--", user.replace("\r\n", "\n")),
        ),
        (String::new(), format!("{added}--b--\r\n")),
        ("no form at all".to_owned(), "no form at all".to_owned()),
    ] {
        let plugin = test_support::plugin(&DEF, config);
        let mut exchange = test_support::request(&format!("POST /\n{MULTIPART}\n\n{body}"));
        assert!(test_support::access(&*plugin, &mut exchange).is_none());
        assert_eq!(test_support::text(exchange.body), expected, "{body:?}");
    }
}

#[test]
fn a_value_with_the_boundary_is_refused() {
    let plugin = test_support::plugin(&DEF, "{add: {body: ['a:$(query_params.q)']}}");
    let forged = "POST /?q=x%0D%0A--b%0D%0AContent-Disposition%3A%20form-data";
    let mut exchange = test_support::request(&format!("{forged}\n{MULTIPART}\n\n{}--b--", field("c", "d")));
    let response = test_support::access(&*plugin, &mut exchange).unwrap();
    assert_eq!(response.status().as_u16(), 400);
}

#[test]
fn settings_are_checked() {
    for (config, expected) in [
        ("{http_method: get}", "config.http_method: invalid value: get"),
        ("{add: {headers: ['a b:c']}}", "config.add.headers[0]: 'a b' is not a valid header"),
        (
            "{replace: {headers: ['Host: evil x']}}",
            "config.replace.headers: \"evil x\" is not a host with or without a port",
        ),
        (
            "{add: {headers: ['a:b', 'x:$(os.exit())']}}",
            "config.add.headers[1]: cannot use `$(os.exit())`: `os` is not known",
        ),
        (
            "{replace: {uri: '/$(shared.x)'}}",
            "config.replace.uri: cannot use `$(shared.x)`: `shared` is not known",
        ),
        (
            "{add: {body: ['a:b']}, dots_in_keys: false}",
            "config.dots_in_keys: nested members of a body are not supported by this version of mynah",
        ),
        ("{add: {cookies: ['a:b']}}", "config.add.cookies: unknown field"),
    ] {
        assert_eq!(test_support::diagnostics(&DEF, config), [expected], "{config}");
    }
}
