//! What a client gets when there is no route, no service, or no answer.

use std::net::TcpListener;

use crate::{
    client::Answer,
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

const BAD_GATEWAY: &str = "An invalid response was received from the upstream server";
const TIMEOUT: &str = "The upstream server is timing out";

/// Services that fail, each in its way. Nobody answers at `refuses`.
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

/// Checks an error of the gateway, as JSON and as the text that a client without a wish gets.
#[track_caller]
fn check(gateway: &Gateway, path: &str, status: u16, message: &str, proxied: bool) {
    let json = gateway.ask("GET", path, &[("accept", "application/json")]);
    json.says(status, message);
    assert_eq!(json.header("content-type"), "application/json; charset=utf-8");
    let id = json.header("x-kong-request-id");
    assert_eq!(json.text(), format!("{{\n  \"message\":\"{message}\",\n  \"request_id\":\"{id}\"\n}}"));
    check_latency(&json, proxied);
    let plain = gateway.ask("GET", path, &[("accept", "text/plain")]);
    let id = plain.header("x-kong-request-id");
    plain.is(status, &format!("{message}\nrequest_id: {id}\n"));
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
fn without_a_route() {
    let (_upstream, gateway) = start();
    check(&gateway, "/nowhere", 404, "no Route matched with those values", false);
    check(&gateway, "/disabled", 404, "no Route matched with those values", false);
}

#[test]
fn without_a_service() {
    let (_upstream, gateway) = start();
    check(&gateway, "/alone", 503, "no Service found with those values", false);
    check(&gateway, "/unknown", 503, "name resolution failed", false);
}

#[test]
fn without_an_answer() {
    let (upstream, gateway) = start();
    check(&gateway, "/refuses", 502, BAD_GATEWAY, true);
    check(&gateway, "/up/reset", 502, BAD_GATEWAY, true);
    check(&gateway, "/up/hold", 504, TIMEOUT, true);
    gateway.logs("no response within read_timeout");
    gateway.logs("connect failed");
    upstream.sees("what timed out is given up", |seen| seen.open == 0);
    assert_eq!(gateway.get("/up/fine").status, 200);
}

#[test]
fn only_over_tls() {
    let (_upstream, gateway) = start();
    let answer = gateway.ask("GET", "/secure", &[("accept", "application/json")]);
    answer.says(426, "Please use HTTPS protocol");
    assert_eq!(answer.header("upgrade"), "TLS/1.2, HTTP/1.1");
    let answer = gateway.ask("GET", "/moved/a?b=c", &[("host", "shop.example:8000")]);
    assert_eq!((answer.status, answer.header("location")), (301, "https://shop.example/moved/a?b=c"));
    assert_eq!(answer.header("access-control-allow-origin"), "", "the route's plugins have no part in it");
}

#[test]
fn an_error_of_the_service_is_the_services() {
    let (_upstream, gateway) = start();
    let head = gateway.ask("HEAD", "/nowhere", &[("accept", "application/json")]);
    head.is(404, "");
    assert_ne!(head.header("content-length"), "0");
}

/// Checks what a request that is none gets over a bare connection.
#[track_caller]
fn check_raw(gateway: &Gateway, request: &str, status: &str) {
    let mut raw = crate::raw::Raw::connect(gateway.address("proxy"));
    raw.send(request);
    let answer = raw.rest();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request:?}: {answer}");
}

#[test]
fn requests_that_are_none() {
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
    raw.until("\"target\":\"/one\"");
    raw.send("TP/1.1\r\nHost: a\r\n\r\n");
    raw.until("\"target\":\"/two\"");
}
