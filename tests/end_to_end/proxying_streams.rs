//! Streamed bodies are forwarded in both directions as they arrive; a client that disconnects ends its request.

use crate::{
    client::Client,
    eventually,
    frames::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, fields},
    gateway::{Gateway, Setup},
    raw::Raw,
    upstream::Upstream,
};

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/], request_buffering: false}}]}}\n",
        upstream.address
    );
    let gateway = Setup::with(&config).run();
    (upstream, gateway)
}

#[test]
fn the_first_part_of_an_answer_does_not_wait_for_the_second() {
    let (upstream, gateway) = start();
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET /stream HTTP/1.1\r\nHost: a.example\r\n\r\n");
    raw.read_until("first\n");
    assert!(!raw.received.contains("second"));
    upstream.release();
    raw.read_until("second\n");
}

/// Server-sent events (HTML, section 9.2), in HTTP/1.1 and HTTP/2, with every buffering setting of the Route.
#[test]
fn an_event_arrives_before_the_next_is_sent() {
    for (buffering, http2) in [(true, false), (false, false), (true, true), (false, true)] {
        let upstream = Upstream::start();
        let config = format!(
            "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/], response_buffering: {buffering}}}]}}\n",
            upstream.address
        );
        let gateway = Setup::with(&config).run();
        if http2 {
            let mut frames = Frames::connect(gateway.address("proxy"), &[]);
            let head =
                [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/events")];
            frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&head));
            for number in 1..=5 {
                upstream.release();
                let data = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == DATA).unwrap();
                assert_eq!(data.payload, format!("id: {number}\ndata: event {number}\n\n").as_bytes());
            }
        } else {
            let mut raw = Raw::connect(gateway.address("proxy"));
            raw.send("GET /events HTTP/1.1\r\nHost: a.example\r\nAccept: text/event-stream\r\n\r\n");
            raw.read_until("content-type: text/event-stream\r\n");
            for number in 1..=5 {
                upstream.release();
                raw.read_until(&format!("data: event {number}\n\n"));
            }
        }
    }
}

#[test]
fn the_first_part_of_a_request_does_not_wait_for_the_second() {
    let (upstream, gateway) = start();
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("POST /up HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    upstream.wait_until("the first part arrives", |seen| seen.bytes == 5);
    raw.send("6\r\nsecond\r\n0\r\n\r\n");
    raw.read_until("\"body\":\"firstsecond\"");
    raw.send("POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nfirst");
    upstream.wait_until("the first part arrives", |seen| seen.bytes == 16);
    raw.send("third");
    raw.read_until("\"body\":\"firstthird\"");
}

#[test]
fn a_client_that_expects_100_continue_gets_it() {
    let (_upstream, gateway) = start();
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("POST /up HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    raw.read_until("HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("body");
    raw.read_until("\"body\":\"body\"");
    assert!(!raw.received.contains("\"expect\""), "{}", raw.received);
}

#[test]
fn a_request_ends_when_its_client_disconnects() {
    let (upstream, gateway) = start();
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET /hold HTTP/1.1\r\nHost: a.example\r\n\r\n");
    upstream.wait_until("the request arrives", |seen| seen.requests == 1);
    drop(raw);
    upstream.wait_until("the connection is given up", |seen| seen.open == 0);

    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET /stream HTTP/1.1\r\nHost: a.example\r\n\r\n");
    raw.read_until("first\n");
    drop(raw);
    upstream.wait_until("the connection is given up", |seen| seen.open == 0);
    assert_eq!(gateway.get("/after").status, 200);
}

#[test]
fn an_upload_ends_when_its_client_disconnects() {
    let (upstream, gateway) = start();
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("POST /up HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf");
    upstream.wait_until("half of it arrives", |seen| seen.bytes == 4);
    drop(raw);
    upstream.wait_until("the connection is given up", |seen| seen.open == 0);
    assert_eq!(gateway.get("/after").status, 200);
}

#[test]
fn an_aborted_response_never_looks_complete() {
    let (upstream, gateway) = start();
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET /broken HTTP/1.1\r\nHost: a.example\r\n\r\n");
    raw.read_until("half");
    upstream.release();
    let answer = raw.read_to_end();
    assert!(answer.contains("content-length: 100\r\n"), "{answer}");
    assert!(answer.ends_with("half"), "{answer}");
    upstream.release();
    let failed = Client::fresh().send("GET", &gateway.url("/broken"), &[], None);
    assert!(failed.is_err(), "{failed:?}");
}

#[test]
fn slow_responses_do_not_delay_others() {
    let (upstream, gateway) = start();
    let slow: Vec<Raw> = (0..50)
        .map(|_| {
            let mut raw = Raw::connect(gateway.address("proxy"));
            raw.send("GET /hold HTTP/1.1\r\nHost: a.example\r\n\r\n");
            raw
        })
        .collect();
    upstream.wait_until("all requests wait", |seen| seen.requests == slow.len());
    assert_eq!(gateway.get("/quick").status, 200);
    for _ in &slow {
        upstream.release();
    }
    for mut raw in slow {
        raw.read_until("\"target\":\"/hold\"");
    }
    eventually("connections are kept for others", || (upstream.seen().open > 0).then_some(()));
}
