//! Requests byte for byte: which are refused and how, and how the others reach the service.

use crate::{
    gateway::{Gateway, Setup},
    raw::Raw,
    upstream::Upstream,
};

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/], preserve_host: true}}]}}\n",
        upstream.address
    );
    (upstream, Setup::with(&config).run())
}

/// Checks that a request is refused with this status, the connection is closed, and the service gets no request.
#[track_caller]
fn assert_refused(gateway: &Gateway, upstream: &Upstream, request: &str, status: u16) {
    let before = upstream.seen().requests;
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(request);
    let answer = raw.read_to_end();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {answer}");
    let head = answer.to_lowercase();
    for field in
        ["connection: close\r\n", "server: mynah/", "x-kong-request-id: ", "x-kong-response-latency: "]
    {
        assert!(head.contains(field), "{request:?}: no {field:?} in {answer}");
    }
    assert_eq!(upstream.seen().requests, before, "{request:?}");
}

/// Checks which texts the service gets and which not, by its answer, which contains the request.
#[track_caller]
fn assert_forwarded(gateway: &Gateway, request: &str, forwarded: &[&str], removed: &[&str]) {
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(request);
    raw.read_until("\"target\"");
    let answer = raw.received;
    for text in forwarded {
        assert!(answer.contains(text), "{request:?}: no {text} in {answer}");
    }
    for text in removed {
        assert!(!answer.contains(text), "{request:?}: {text} in {answer}");
    }
}

#[test]
fn a_request_without_a_host_or_with_two_is_refused() {
    let (upstream, gateway) = start();
    for host in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n"] {
        assert_refused(&gateway, &upstream, &format!("GET / HTTP/1.1\r\n{host}\r\n"), 400);
    }
    for host in ["u@a", "a b", "a,b", "a/b", "a\"b", "<a>", "a:b", "a:99999", "[::1", "a..b"] {
        assert_refused(&gateway, &upstream, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400);
    }
}

#[test]
fn a_target_is_a_path_or_a_whole_uri() {
    let (upstream, gateway) = start();
    let requests = [
        ("TRACE / HTTP/1.1", 405),
        ("TRACE / HTTP/1.1\r\nMax-Forwards: 0", 405),
        ("CONNECT a:443 HTTP/1.1", 400),
        ("OPTIONS * HTTP/1.1", 400),
        ("GET a HTTP/1.1", 400),
        ("GET http://u@a/ HTTP/1.1", 400),
        ("GET /../.. HTTP/1.1", 400),
        ("get / HTTP/1.1", 400),
    ];
    for (line, status) in requests {
        assert_refused(&gateway, &upstream, &format!("{line}\r\nHost: a\r\n\r\n"), status);
    }
    let absolute = "GET http://good.example/x HTTP/1.1\r\nHost: other.example\r\n\r\n";
    assert_forwarded(
        &gateway,
        absolute,
        &["\"host\":\"good.example\"", "\"target\":\"/x\""],
        &["other.example"],
    );
}

#[test]
fn a_malformed_request_gets_the_gateways_own_error() {
    let (upstream, gateway) = start();
    let requests = [
        ("nonsense", 400),
        ("GET / HTTP/1.1\r\nHost : a", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nA\0: b", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2", 400),
        ("GET / HTTP/2.0\r\nHost: a", 505),
    ];
    for (request, status) in requests {
        assert_refused(&gateway, &upstream, &format!("{request}\r\n\r\n"), status);
    }
    let many = "X: 1\r\n".repeat(101);
    assert_refused(&gateway, &upstream, &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 400);
}

#[test]
fn a_too_large_request_is_rejected() {
    let (upstream, gateway) = start();
    let long = "a".repeat(9000);
    assert_refused(&gateway, &upstream, &format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414);
    assert_refused(&gateway, &upstream, &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), 400);
    let many = format!("X: {}\r\n", "a".repeat(8000)).repeat(5);
    assert_refused(&gateway, &upstream, &format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 400);
    assert_refused(&gateway, &upstream, &format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "G".repeat(65)), 400);
}

#[test]
fn hop_by_hop_fields_are_not_forwarded() {
    let (_upstream, gateway) = start();
    let table: [(&str, &[&str], &[&str]); 8] = [
        ("Connection: close, X-A\r\nX-A: 1", &["\"connection\":\"keep-alive\""], &["x-a"]),
        ("Connection: Host, Content-Length\r\nContent-Length: 0", &["\"host\":\"a\""], &[]),
        (
            "Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nProxy: y",
            &[],
            &["timeout", "proxy-conn", "\"proxy\""],
        ),
        ("TE: trailers, gzip\r\nConnection: TE", &["\"te\":\"trailers\"", "\"keep-alive, TE\""], &["gzip"]),
        ("TE: gzip", &[], &["\"te\""]),
        ("Connection: upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: x", &[], &["h2c", "upgrade"]),
        ("Transfer_Encoding: chunked\r\nContent_Length: 9", &[], &["transfer_encoding", "content_length"]),
        ("Via: 1.0 inner\r\nExpect: 100-continue", &["\"via\":\"1.0 inner, 1.1 mynah/"], &["\"expect\""]),
    ];
    for (fields, forwarded, removed) in table {
        assert_forwarded(
            &gateway,
            &format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"),
            forwarded,
            removed,
        );
    }
}

#[test]
fn a_request_ends_at_its_declared_length() {
    let (upstream, gateway) = start();
    let options = |left: u32| format!("OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: {left}\r\n\r\n");
    assert_forwarded(&gateway, &options(5), &["\"max-forwards\":\"4\""], &[]);
    assert_forwarded(&gateway, &options(1), &["\"max-forwards\":\"0\""], &[]);
    assert_forwarded(&gateway, &options(5).replace("OPTIONS", "GET"), &["\"max-forwards\":\"5\""], &[]);
    let before = upstream.seen().requests;
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(&options(0));
    raw.read_until("content-length: 0\r\n");
    assert!(raw.received.starts_with("HTTP/1.1 200 OK\r\n"), "{}", raw.received);
    assert_eq!(upstream.seen().requests, before);
}

#[test]
fn an_http_1_0_request_needs_no_host() {
    let (upstream, gateway) = start();
    let host = format!("\"host\":\"{}\"", upstream.address);
    assert_forwarded(&gateway, "GET / HTTP/1.0\r\n\r\n", &[&host], &["transfer-encoding"]);
}

#[test]
fn a_small_chunked_body_is_forwarded_with_its_length() {
    let (_upstream, gateway) = start();
    let chunked =
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_forwarded(
        &gateway,
        chunked,
        &["\"content-length\":\"5\"", "\"body\":\"abcde\""],
        &["transfer-encoding\":"],
    );
}

#[test]
fn a_body_has_a_limit_if_configured() {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/]}}]}}\n",
        upstream.address
    );
    let setup = Setup::with(&config).env("KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE", "1k");
    let gateway = setup.env("KONG_NGINX_HTTP_CLIENT_BODY_TIMEOUT", "200ms").run();
    assert_refused(&gateway, &upstream, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n", 413);
    let chunk = format!("400\r\n{}\r\n", "a".repeat(1024));
    let chunked = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_refused(&gateway, &upstream, &format!("{chunked}{chunk}1\r\na\r\n"), 413);
    assert_forwarded(&gateway, &format!("{chunked}{chunk}0\r\n\r\n"), &["\"bytes\":1024"], &[]);
    assert_refused(&gateway, &upstream, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", 408);
}
