//! Request bodies in memory: how much is buffered, and what happens beyond the limit.

use crate::{
    eventually,
    gateway::{Gateway, Setup},
    raw::Raw,
    upstream::Upstream,
};

/// Bytes of buffered bodies.
#[track_caller]
fn held(gateway: &Gateway) -> usize {
    let metrics = gateway.admin("GET", "/metrics");
    let mut lines = metrics.text().lines();
    lines.find_map(|line| line.strip_prefix("mynah_body_memory_bytes ")?.parse().ok()).unwrap()
}

/// Begins a request with a body in chunks.
fn begin(gateway: &Gateway, path: &str, fields: &str) -> Raw {
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(&format!(
        "POST {path} HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n{fields}\r\n"
    ));
    raw
}

fn send_chunk(raw: &mut Raw, bytes: usize) {
    raw.send(&format!("{bytes:x}\r\n{}\r\n", "x".repeat(bytes)));
}

#[test]
fn a_body_of_unknown_length_is_counted_while_it_passes() {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://{}\n  routes: [{{name: r, paths: [/]}}]\n  \
         plugins: [{{name: request-size-limiting, config: {{allowed_payload_size: 1}}}}]\n",
        upstream.address
    );
    let gateway = Setup::with(&config).run();
    let mut raw = begin(&gateway, "/large", "");
    for _ in 0..15 {
        send_chunk(&mut raw, 64 << 10);
        let held = held(&gateway);
        assert!(held <= 64 << 10, "{held}");
    }
    upstream.wait_until("the beginning", |seen| seen.requests == 1 && seen.bytes > 0);
    send_chunk(&mut raw, 128 << 10);
    raw.read_until("Request size limit exceeded");
    assert!(raw.received.starts_with("HTTP/1.1 413 "), "{}", raw.received);
    assert_eq!(upstream.seen().whole, 0, "the service gets no complete request");
    eventually("no body is buffered", || (held(&gateway) == 0).then_some(()));

    // A small body is read ahead and forwarded.
    let (mut small, requests) = (begin(&gateway, "/", ""), upstream.seen().requests);
    send_chunk(&mut small, 10);
    small.send("0\r\n\r\n");
    small.read_until("\r\n\r\n");
    assert!(small.received.starts_with("HTTP/1.1 200 "), "{}", small.received);
    assert_eq!(upstream.seen().requests, requests + 1);
}

#[test]
fn bodies_that_plugins_hold_share_one_budget() {
    let config = "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  \
                  - {name: key-auth, config: {key_in_body: true}}\n";
    let gateway = Setup::with(config).env("MYNAH_MAX_BODY_MEMORY", "1m").run();
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let mut first = begin(&gateway, "/", form);
    send_chunk(&mut first, 700 << 10);
    eventually("the first part is buffered", || (held(&gateway) >= 700 << 10).then_some(()));

    let mut second = begin(&gateway, "/", form);
    send_chunk(&mut second, 400 << 10);
    second.read_until("Too many request bodies at a time");
    assert!(second.received.starts_with("HTTP/1.1 503 "), "{}", second.received);
    assert!(second.received.to_lowercase().contains("\r\nretry-after: 1\r\n"), "{}", second.received);
    assert!(held(&gateway) <= 1 << 20);

    first.send("0\r\n\r\n");
    first.read_until("No API key found in request");
    assert!(first.received.starts_with("HTTP/1.1 401 "), "{}", first.received);
    eventually("its room is free", || (held(&gateway) == 0).then_some(()));
    let mut third = begin(&gateway, "/", form);
    send_chunk(&mut third, 400 << 10);
    third.send("0\r\n\r\n");
    third.read_until("No API key found in request");
}

#[test]
fn a_client_that_disconnected_holds_no_memory() {
    let config = "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  \
                  - {name: key-auth, config: {key_in_body: true}}\n";
    let gateway = Setup::with(config).run();
    let mut raw = begin(&gateway, "/", "Content-Type: application/json\r\n");
    send_chunk(&mut raw, 100 << 10);
    eventually("the first part is buffered", || (held(&gateway) >= 100 << 10).then_some(()));
    drop(raw);
    eventually("no body is buffered", || (held(&gateway) == 0).then_some(()));
}

#[test]
fn a_small_text_of_many_values_is_not_parsed_to_a_tree() {
    let config = "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  \
                  - {name: key-auth, config: {key_in_body: true}}\n";
    let gateway = Setup::with(config).run();
    let text = format!("{{\"a\":[{}0]}}", "0,".repeat(3 << 20));
    let answer = gateway.post("/", &[("content-type", "application/json")], text.as_bytes());
    assert_eq!(answer.status, 413);
    assert!(gateway.peak_memory() < 64 << 20, "{}", gateway.peak_memory());
}
