//! How long connections of clients are kept, how many there may be, and what becomes of those that dawdle.

use crate::{
    gateway::{Gateway, Setup},
    raw::Raw,
};

const CONFIG: &str = "\
_format_version: \"3.0\"
routes:
- {name: r, paths: [/], plugins: [{name: request-termination, config: {status_code: 200, message: here}}]}
";

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn start(name: &str, value: &str) -> Gateway {
    Setup::with(CONFIG).env(name, value).run()
}

fn asked(gateway: &Gateway) -> Raw {
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(REQUEST);
    raw.until("here");
    raw
}

#[test]
fn a_connection_that_nobody_uses_is_closed() {
    let gateway = start("KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT", "500ms");
    assert!(asked(&gateway).rest().ends_with("{\"message\":\"here\"}"));
    let gateway = start("KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT", "0");
    let answer = asked(&gateway).rest();
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

#[test]
fn a_client_that_does_not_finish_its_request_is_cut_off() {
    let gateway = start("KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT", "500ms");
    assert_eq!(Raw::connect(gateway.address("proxy")).rest(), "");
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET / HTTP/1.1\r\n");
    assert_eq!(raw.rest(), "");
    let mut raw = asked(&gateway);
    raw.send("GET / HTTP/1.1\r\n");
    assert!(raw.rest().ends_with("{\"message\":\"here\"}"));
}

#[test]
fn a_connection_serves_so_many_requests() {
    let gateway = start("KONG_NGINX_HTTP_KEEPALIVE_REQUESTS", "2");
    let mut raw = asked(&gateway);
    assert!(!raw.received.contains("connection: close"), "{}", raw.received);
    raw.send(REQUEST);
    let answers = raw.rest();
    assert!(answers.contains("connection: close\r\n"), "{answers}");
    assert_eq!(answers.matches("here").count(), 2);
}

#[test]
fn idle_connections_make_room() {
    let gateway = start("KONG_NGINX_EVENTS_WORKER_CONNECTIONS", "2");
    let kept: Vec<Raw> = (0..2).map(|_| asked(&gateway)).collect();
    let _third = asked(&gateway);
    for raw in kept {
        raw.rest();
    }
}
