//! SIGTERM: no new connections, requests in flight finish, and the process ends with exit code 0.

use std::net::TcpStream;

use crate::{eventually, gateway::Gateway, gateway::Setup, raw::Raw, upstream::Upstream};

fn start(grace: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/]}}]}}\n",
        upstream.address
    );
    let gateway = Setup::with(&config).env("KONG_GRACEFUL_TIMEOUT", grace).run();
    (upstream, gateway)
}

/// Begins a request that the upstream holds.
fn begin_held_request(gateway: &Gateway, upstream: &Upstream) -> Raw {
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET /hold HTTP/1.1\r\nHost: a.example\r\n\r\n");
    upstream.wait_until("the request arrives", |seen| seen.requests == 1);
    raw
}

#[track_caller]
fn wait_until_refused(address: &str) {
    eventually("no connection is accepted any more", || TcpStream::connect(address).is_err().then_some(()));
}

#[test]
fn requests_in_flight_finish() {
    for signal in ["TERM", "INT", "QUIT"] {
        let (upstream, mut gateway) = start("30");
        let raw = begin_held_request(&gateway, &upstream);
        let mut idle = Raw::connect(gateway.address("proxy"));
        idle.send("GET /before HTTP/1.1\r\nHost: a.example\r\n\r\n");
        idle.read_until("/before");
        let address = gateway.address("proxy").to_owned();
        gateway.signal(signal);
        wait_until_refused(&address);
        assert!(!gateway.has_ended(), "a request is in flight");
        idle.read_to_end();
        upstream.release();
        let answer = raw.read_to_end();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"target\":\"/hold\""), "{answer}");
        let outcome = gateway.outcome();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stderr.contains("all requests have finished"), "{outcome:?}");
    }
}

#[test]
fn a_streamed_response_finishes() {
    let (upstream, gateway) = start("30");
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET /stream HTTP/1.1\r\nHost: a.example\r\n\r\n");
    raw.read_until("first\n");
    let address = gateway.address("proxy").to_owned();
    gateway.signal("TERM");
    wait_until_refused(&address);
    upstream.release();
    assert!(raw.read_to_end().contains("second\n"));
    assert_eq!(gateway.outcome().code, Some(0));
}

#[test]
fn the_grace_period_ends() {
    let (upstream, gateway) = start("1");
    let raw = begin_held_request(&gateway, &upstream);
    gateway.signal("TERM");
    let outcome = gateway.outcome();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("open requests are cut off"), "{outcome:?}");
    assert_eq!(raw.read_to_end(), "");
}

#[test]
fn a_second_signal_ends_the_grace_period() {
    let (upstream, gateway) = start("600");
    let _raw = begin_held_request(&gateway, &upstream);
    gateway.signal("TERM");
    gateway.wait_for_log("SIGTERM: no new connections");
    gateway.signal("TERM");
    assert_eq!(gateway.outcome().code, Some(0));
}

#[test]
fn without_requests_the_process_ends_at_once() {
    let (_upstream, gateway) = start("600");
    gateway.signal("TERM");
    assert_eq!(gateway.outcome().code, Some(0));
}
