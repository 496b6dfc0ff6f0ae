//! HTTP/2 connections of clients: floods, unread responses, idle connections and graceful shutdown.

use crate::{
    frames::{
        ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, End, Frames, GOAWAY, HEADERS, PING, PRIORITY,
        RST_STREAM, SETTINGS, WINDOW_UPDATE, fields, frame,
    },
    gateway::Setup,
    http2::{GET, POST, start},
    pause,
    upstream::Upstream,
};

/// An attack: the repeated frames, and whether the connection must end.
type Flood = (&'static str, bool, fn(&mut Frames, u32));

const FLOODS: &[Flood] = &[
    ("streams that are reset at once", true, |frames, n| {
        frames.send(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &fields(&GET));
        frames.send(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes());
    }),
    ("streams that the server has to reset", true, |frames, n| {
        frames.send(HEADERS, END_HEADERS, 2 * n + 1, &fields(&POST));
        frames.send(8, 0, 2 * n + 1, &0_u32.to_be_bytes());
    }),
    ("fields without an end", true, |frames, n| {
        let (kind, flags) = if n == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
        let more = if n == 0 { fields(&GET) } else { fields(&[("x", &"v".repeat(1000))]) };
        frames.send(kind, flags, 1, &more);
    }),
    ("continuations of nothing", true, |frames, n| {
        let (kind, flags) = if n == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
        frames.send(kind, flags, 1, if n == 0 { &[0x82] } else { &[] });
    }),
    ("pings", false, |frames, _| frames.write(&frame(PING, 0, 0, &[0; 8]).repeat(50))),
    ("settings", false, |frames, _| frames.write(&frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]).repeat(50))),
    ("data without content", true, |frames, n| {
        if n == 0 {
            frames.send(HEADERS, END_HEADERS, 1, &fields(&POST));
        }
        frames.write(&frame(DATA, 0, 1, &[]).repeat(50));
    }),
    ("a bomb of compressed fields", true, |frames, n| {
        if n == 0 {
            // A large field into the dynamic table, then named again and again.
            let large = [&[0x40, 1, b'x', 127, 0xd1, 0x0e][..], &[b'v'; 2000]].concat();
            frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &[&fields(&GET)[..], &large].concat());
        } else {
            let block = [&fields(&GET)[..], &[0xbe; 4000]].concat();
            frames.send(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &block);
        }
    }),
    ("answers to pings that were not sent", false, |frames, _| {
        frames.write(&frame(PING, ACK, 0, &[0; 8]).repeat(50));
    }),
    ("priorities", false, |frames, n| frames.send(PRIORITY, 0, 2 * n + 1, &[0x80, 0, 0, 0, 5])),
    ("windows that grow", false, |frames, _| {
        frames.write(&frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]).repeat(50));
    }),
    ("frames of an unknown type", false, |frames, _| frames.write(&frame(0x77, 0, 0, &[0; 9]).repeat(50))),
    ("trailers after trailers", false, |frames, n| {
        if n == 0 {
            frames.send(HEADERS, END_HEADERS, 1, &fields(&POST));
        }
        frames.send(HEADERS, END_HEADERS, 1, &fields(&[("x", "1")]));
    }),
    ("changes of the table of fields", true, |frames, n| {
        let block = [&[0x20; 200][..], &fields(&GET)].concat();
        frames.send(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &block);
    }),
    ("more streams than there may be", true, |frames, n| {
        frames.send(HEADERS, END_HEADERS, 2 * n + 1, &fields(&POST));
    }),
];

#[test]
fn floods_end_and_other_clients_are_served() {
    let (_upstream, gateway) = start();
    for (what, ends, send) in FLOODS {
        let mut frames = Frames::connect(gateway.address("proxy"), &[]);
        let mut sent = 0;
        while sent < 2000 && !frames.closed {
            send(&mut frames, sent);
            sent += 1;
        }
        assert_eq!(gateway.get("/x").status, 200, "during {what}");
        if *ends {
            let has_goaway = std::iter::from_fn(|| frames.next()).any(|frame| frame.kind == GOAWAY);
            assert!(has_goaway || frames.closed, "{what} went on");
        }
        drop(frames);
        assert_eq!(gateway.get("/x").status, 200, "after {what}");
    }
    let lines = gateway.log().lines().count();
    assert!(lines < 50, "a client can fill the log: {lines} lines");
}

#[test]
fn unread_responses_use_little_memory() {
    let (upstream, gateway) = start();
    let before = gateway.memory();
    // Windows of zero: the client receives no byte of any body.
    let mut frames = Frames::connect(gateway.address("proxy"), &[(4, 0)]);
    let large = [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/large")];
    for n in 0..50 {
        frames.send(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &fields(&large));
    }
    upstream.wait_until("all of them", |seen| seen.requests == 50);
    assert_eq!(gateway.get("/x").status, 200);
    let grown = gateway.memory().saturating_sub(before);
    // 64 KiB are buffered for a stream, and 64 KiB at the upstream connection.
    assert!(grown < 40 << 20, "{} MiB", grown >> 20);
    drop(frames);
}

const MOCK: &str = "\
_format_version: \"3.0\"
routes:
- {name: r, paths: [/], plugins: [{name: request-termination, config: {status_code: 200, message: here}}]}
";

/// Reads until the connection ends; true if that was `has_goaway` before, with this error.
fn ends_with(frames: &mut Frames, error: u32) -> bool {
    let mut has_goaway = false;
    while let Some(frame) = frames.next() {
        has_goaway |= frame.kind == GOAWAY && frame.payload[4..8] == error.to_be_bytes();
    }
    has_goaway
}

#[test]
fn an_idle_connection_is_not_closed_as_slow() {
    let gateway = Setup::with(MOCK).env("KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT", "500ms").run();
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    for stream in [1, 3] {
        // Before the first request and between two; pings do not count as requests.
        frames.send(PING, 0, 0, &[0; 8]);
        pause(1200);
        frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields(&GET));
        assert!(matches!(frames.end_of(stream), End::Answered(..)), "{stream}");
    }
}

#[test]
fn a_head_that_does_not_end_is_cut_off() {
    let gateway = Setup::with(MOCK).env("KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT", "500ms").run();
    for (kind, flags, payload) in [(HEADERS, END_STREAM, fields(&GET)), (HEADERS, END_HEADERS, vec![0x82])] {
        let mut frames = Frames::connect(gateway.address("proxy"), &[]);
        let mut bytes = frame(kind, flags, 1, &payload);
        if flags == END_HEADERS {
            bytes.pop();
        }
        frames.write(&bytes);
        while frames.next().is_some() {}
        assert!(frames.closed);
    }
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&GET));
    frames.end_of(1);
    frames.send(HEADERS, END_STREAM, 3, &fields(&GET));
    while frames.next().is_some() {}
}

#[test]
fn an_idle_connection_is_closed_gracefully() {
    let setup = Setup::with(MOCK).env("KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT", "500ms");
    // Also with a client that does not react: the timeout of heads applies.
    let gateway = setup.env("KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT", "500ms").run();
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    assert!(ends_with(&mut frames, 0), "without a request");
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&GET));
    frames.end_of(1);
    assert!(ends_with(&mut frames, 0), "after a request");
}

#[test]
fn streams_finish_at_shutdown() {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/]}}]}}\n",
        upstream.address
    );
    let gateway = Setup::with(&config).env("KONG_GRACEFUL_TIMEOUT", "30").run();
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    let hold = [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/hold")];
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&hold));
    upstream.wait_until("the request arrives", |seen| seen.requests == 1);
    gateway.signal("TERM");
    // Two GOAWAY frames: a warning, then the last stream. (RFC 9113, section 6.8)
    while let Some(frame) = frames.next() {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => frames.send(SETTINGS, ACK, 0, &[]),
            PING => frames.send(PING, ACK, 0, &frame.payload),
            GOAWAY if frame.payload[..4] == [0, 0, 0, 1] => break,
            _ => {}
        }
    }
    upstream.release();
    assert!(matches!(frames.end_of(1), End::Answered(200, _)));
    while frames.next().is_some() {}
    assert_eq!(gateway.outcome().code, Some(0));
}
