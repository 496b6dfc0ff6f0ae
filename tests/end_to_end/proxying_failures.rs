//! Error responses: no Route, no Service, no response, malformed requests.

use std::net::TcpListener;

use crate::{
    client::Answer,
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

const BAD_GATEWAY: &str = "An invalid response was received from the upstream server";
const TIMEOUT: &str = "The upstream server is timing out";

/// Services that fail in different ways. Nothing listens at the address of `refuses`.
fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- {{name: up, url: 'http://{}', read_timeout: 200, retries: 0, routes: [{{name: up, paths: [/up]}}]}}
- {{name: refuses, url: 'http://{unused}', retries: 1, routes: [{{name: refuses, paths: [/refuses]}}]}}
- {{name: unknown, url: 'http://nowhere.invalid', routes: [{{name: unknown, paths: [/unknown]}}]}}
- {{name: disabled, url: 'http://a.example', enabled: false, routes: [{{name: disabled, paths: [/disabled]}}]}}
routes:
- {{name: alone, paths: [/alone]}}
- {{name: secure, paths: [/secure], protocols: [https]}}
- {{name: moved, paths: [/moved], protocols: [https], https_redirect_status_code: 301, plugins: [{{name: cors}}]}}
",
        upstream.address
    );
    (upstream, Setup::with(&config).run())
}

/// Checks an error of the gateway, as JSON, and as the text for a client without Accept.
#[track_caller]
fn check(gateway: &Gateway, path: &str, status: u16, message: &str, proxied: bool) {
    let json = gateway.ask("GET", path, &[("accept", "application/json")]);
    json.assert_message(status, message);
    assert_eq!(json.header("content-type"), "application/json; charset=utf-8");
    let id = json.header("x-kong-request-id");
    assert_eq!(json.text(), format!("{{\n  \"message\":\"{message}\",\n  \"request_id\":\"{id}\"\n}}"));
    check_latency(&json, proxied);
    let plain = gateway.ask("GET", path, &[("accept", "text/plain")]);
    let id = plain.header("x-kong-request-id");
    plain.assert_response(status, &format!("{message}\nrequest_id: {id}\n"));
    let html = gateway.ask("GET", path, &[("accept", "text/html")]);
    assert_eq!(html.header("content-type"), "text/html; charset=utf-8");
    assert!(html.text().contains(&format!("<p>{message}.</p>")), "{}", html.text());
}

#[track_caller]
fn check_latency(answer: &Answer, proxied: bool) {
    let given = |name: &str| !answer.header(name).is_empty();
    assert_eq!(
        [given("x-kong-response-latency"), given("x-kong-upstream-latency"), given("x-kong-proxy-latency")],
        [!proxied, proxied, proxied],
        "{answer:?}"
    );
    assert!(answer.header("server").starts_with("mynah/"), "{answer:?}");
}

#[test]
fn a_request_without_a_route_gets_404() {
    let (_upstream, gateway) = start();
    check(&gateway, "/nowhere", 404, "no Route matched with those values", false);
    check(&gateway, "/disabled", 404, "no Route matched with those values", false);
}

#[test]
fn a_request_without_a_service_gets_503() {
    let (_upstream, gateway) = start();
    check(&gateway, "/alone", 503, "no Service found with those values", false);
    check(&gateway, "/unknown", 503, "name resolution failed", false);
}

#[test]
fn a_request_without_a_response_gets_502_or_504() {
    let (upstream, gateway) = start();
    check(&gateway, "/refuses", 502, BAD_GATEWAY, true);
    check(&gateway, "/up/reset", 502, BAD_GATEWAY, true);
    check(&gateway, "/up/hold", 504, TIMEOUT, true);
    gateway.wait_for_log("no response within read_timeout");
    gateway.wait_for_log("connect failed");
    upstream.wait_until("the connection of the timed-out request is closed", |seen| seen.open == 0);
    assert_eq!(gateway.get("/up/fine").status, 200);
}

#[test]
fn plain_http_on_an_https_route_gets_426_or_a_redirect() {
    let (_upstream, gateway) = start();
    let answer = gateway.ask("GET", "/secure", &[("accept", "application/json")]);
    answer.assert_message(426, "Please use HTTPS protocol");
    assert_eq!(answer.header("upgrade"), "TLS/1.2, HTTP/1.1");
    let answer = gateway.ask("GET", "/moved/a?b=c", &[("host", "shop.example:8000")]);
    assert_eq!((answer.status, answer.header("location")), (301, "https://shop.example/moved/a?b=c"));
    assert_eq!(answer.header("access-control-allow-origin"), "", "the route's plugins have no part in it");
}

#[test]
fn an_error_response_to_head_has_no_body() {
    let (_upstream, gateway) = start();
    let head = gateway.ask("HEAD", "/nowhere", &[("accept", "application/json")]);
    head.assert_response(404, "");
    assert_ne!(head.header("content-length"), "0");
}

/// Checks the status of the response to a malformed request.
#[track_caller]
fn check_raw(gateway: &Gateway, request: &str, status: &str) {
    let mut raw = crate::raw::Raw::connect(gateway.address("proxy"));
    raw.send(request);
    let answer = raw.read_to_end();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:?}: {answer}");
}

#[test]
fn malformed_requests_are_refused() {
    let (upstream, gateway) = start();
    check_raw(&gateway, "nonsense\r\n\r\n", "400");
    check_raw(&gateway, "GET /up HTTP/1.1\r\n\r\n", "400");
    check_raw(&gateway, "GET /up HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400");
    check_raw(&gateway, "TRACE /up HTTP/1.1\r\nHost: a\r\n\r\n", "405");
    check_raw(&gateway, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "400");
    check_raw(
        &gateway,
        "GET /up HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "400",
    );
    assert_eq!(upstream.seen().requests, 0);
}

#[test]
fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let (_upstream, gateway) = start();
    let mut raw = crate::raw::Raw::connect(gateway.address("proxy"));
    raw.send("GET /up/one HTTP/1.1\r\nHost: a\r\n\r\nGET /up/two HT");
    raw.read_until("\"target\":\"/one\"");
    raw.send("TP/1.1\r\nHost: a\r\n\r\n");
    raw.read_until("\"target\":\"/two\"");
}
