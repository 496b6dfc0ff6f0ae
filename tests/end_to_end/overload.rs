//! Overload: requests beyond the limit get 503 with Retry-After, connections beyond the limit wait, and the Admin API answers.

use crate::{
    frames::{END_HEADERS, END_STREAM, End, Frames, HEADERS, fields},
    gateway::{Gateway, Setup},
    http2::GET,
    raw::Raw,
    tls::start_echo,
    upstream::Upstream,
};

fn config(address: &str) -> String {
    format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{address}', routes: [{{name: r, paths: [/]}}]}}\n"
    )
}

fn begin(gateway: &Gateway, path: &str) -> Raw {
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(&format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n"));
    raw
}

#[test]
fn a_request_over_the_limit_gets_retry_after() {
    let upstream = Upstream::start();
    let setup = Setup::with(&config(&upstream.address.to_string()));
    let gateway = setup.env("MYNAH_MAX_CONCURRENT_REQUESTS", "2").run();
    let held: Vec<Raw> = (0..2).map(|_| begin(&gateway, "/hold")).collect();
    upstream.wait_until("two are on their way", |seen| seen.requests == 2);

    let refused = gateway.get("/x");
    assert_eq!(refused.status, 503);
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(refused.headers.contains_key("x-kong-request-id"), "{refused:?}");
    assert_eq!(refused.json()["message"], "Too many requests at a time");
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&GET));
    assert!(matches!(frames.end_of(1), End::Answered(503, _)));
    assert_eq!(upstream.seen().requests, 2, "the refused request does not reach the service");
    assert_eq!(gateway.admin("GET", "/status").status, 200);
    gateway.wait_for_log("requests refused with 503: 1; 2 are being answered");

    upstream.release();
    crate::eventually("there is room again", || (gateway.get("/x").status == 200).then_some(()));
    upstream.release();
    for mut raw in held {
        raw.read_until("\"target\":\"/hold\"");
    }
    crate::eventually("each is in the access log", || gateway.stdout().contains("\" 503 ").then_some(()));
}

#[test]
fn a_tunnel_counts_as_a_connection() {
    let mock = "routes:\n- {name: m, paths: [/mock], plugins: [{name: request-termination, config: {message: here}}]}\n";
    let setup = Setup::with(&(config(&format!("127.0.0.1:{}", start_echo())) + mock));
    let gateway = setup.env("KONG_NGINX_EVENTS_WORKER_CONNECTIONS", "2").run();
    let mut tunnel = Raw::connect(gateway.address("proxy"));
    tunnel.send("GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    tunnel.read_until("\r\n\r\n");
    assert!(tunnel.received.starts_with("HTTP/1.1 101 "), "{}", tunnel.received);
    let mut idle = begin(&gateway, "/mock");
    idle.read_until("here");
    // With the tunnel these are two, so the idle connection is closed.
    let mut third = begin(&gateway, "/mock");
    third.read_until("here");
    idle.read_to_end();
    tunnel.send("one\n");
    tunnel.read_until("again one\n");
}
