//! HTTP/2 from clients: what is malformed goes no further, and floods end.

use crate::{
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, End, Frames, GOAWAY, HEADERS, PING, RST_STREAM,
        SETTINGS, fields, frame,
    },
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/]}}]}}\n",
        upstream.address
    );
    let gateway = Setup::with(&config).run();
    (upstream, gateway)
}

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x")];
const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x")];

/// Sends one request, with a body or not, over a connection of its own.
fn ask(gateway: &Gateway, head: &[(&str, &str)], body: Option<&[u8]>) -> End {
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    let ends = if body.is_none() { END_STREAM } else { 0 };
    frames.send(HEADERS, END_HEADERS | ends, 1, &fields(head));
    if let Some(body) = body {
        frames.send(DATA, END_STREAM, 1, body);
    }
    frames.end_of(1)
}

fn with<'a>(head: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [head, more].concat()
}

/// A head of these pseudo-header fields; an empty one is left out.
fn pseudo<'a>(
    method: &'a str,
    scheme: &'a str,
    authority: &'a str,
    path: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let all = [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

#[test]
fn what_is_malformed_goes_no_further() {
    let (upstream, gateway) = start();
    // (RFC 9113, sections 8.2, 8.3 and 10.3)
    let heads = [
        with(&GET, &[("X-Upper", "1")]),
        with(&GET, &[("connection", "close")]),
        with(&GET, &[("keep-alive", "timeout=5")]),
        with(&GET, &[("proxy-connection", "close")]),
        with(&GET, &[("transfer-encoding", "chunked")]),
        with(&GET, &[("upgrade", "websocket")]),
        with(&GET, &[("te", "gzip")]),
        with(&GET, &[("x", "a\r\nevil: 1")]),
        with(&GET, &[("x", "a\nb")]),
        with(&GET, &[("x", "a\0b")]),
        with(&GET, &[("x y", "1")]),
        with(&GET, &[("x\r\ny", "1")]),
        with(&GET, &[("x:y", "1")]),
        with(&GET, &[(":path", "/again")]),
        with(&GET, &[(":unknown", "1")]),
        with(&GET, &[(":status", "200")]),
        with(&[("x", "1")], &GET),
        with(&GET, &[("x", " a")]),
        with(&GET, &[("x", "a\t")]),
        with(&GET, &[("host", "a.example"), ("host", "a.example")]),
        with(&GET, &[("host", "b.example")]),
        pseudo("GET", "http", "a.example", ""),
        pseudo("", "http", "a.example", "/"),
        pseudo("GET", "", "a.example", "/"),
        pseudo("GET", "http", "a.example", "/a b"),
        pseudo("GET", "http", "a.example", "/a\r\nevil: 1"),
        pseudo("GET", "http", "a.example", "no-slash"),
        pseudo("GE T", "http", "a.example", "/"),
        pseudo("GET / HTTP/1.1\r\nevil: 1\r\n\r\nGET", "http", "a.example", "/"),
        pseudo("GET", "http\r\nx: 1", "a.example", "/"),
        pseudo("GET", "http", "a.example\r\nevil: 1", "/"),
        pseudo("GET", "http", "a b", "/"),
        pseudo("GET", "http", "user@a.example", "/"),
        pseudo("GET", "http", "", "/"),
        pseudo("CONNECT", "", "a.example:80", ""),
        pseudo("TRACE", "http", "a.example", "/"),
    ];
    for head in heads {
        let end = ask(&gateway, &head, None);
        let refused = !matches!(end, End::Answered(200, _));
        assert!(refused, "{head:?} was answered");
    }
    upstream.sees("nothing of it", |seen| seen.requests == 0);
    assert!(matches!(ask(&gateway, &GET, None), End::Answered(200, _)));
}

#[test]
fn a_body_is_as_long_as_it_says() {
    let (_upstream, gateway) = start();
    for (length, body, fits) in
        [("3", "abc", true), ("5", "abc", false), ("2", "abc", false), ("x", "abc", false)]
    {
        let end = ask(&gateway, &with(&POST, &[("content-length", length)]), Some(body.as_bytes()));
        assert_eq!(matches!(end, End::Answered(200, _)), fits, "{length} for {body}: {end:?}");
    }
}

#[test]
fn upstreams_get_what_they_would_in_http_1_1() {
    let (_upstream, gateway) = start();
    let head = with(&GET, &[("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"), ("x-a", "1")]);
    let End::Answered(200, body) = ask(&gateway, &head, None) else { panic!("no answer") };
    let seen: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let fields = &seen["headers"];
    assert_eq!(fields["cookie"], "a=1; b=2", "{seen}");
    assert_eq!(fields["te"], "trailers");
    assert_eq!(fields["x-a"], "1");
    assert!(fields["via"].as_str().is_some_and(|via| via.starts_with("2 mynah/")), "{seen}");
}

/// What a hostile client does, and how often.
type Flood = (&'static str, fn(&mut Frames, u32));

const FLOODS: &[Flood] = &[
    ("streams that are reset at once", |frames, n| {
        frames.send(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &fields(&GET));
        frames.send(RST_STREAM, 0, 2 * n + 1, &8_u32.to_be_bytes());
    }),
    ("streams that the server has to reset", |frames, n| {
        frames.send(HEADERS, END_HEADERS, 2 * n + 1, &fields(&POST));
        frames.send(8, 0, 2 * n + 1, &0_u32.to_be_bytes());
    }),
    ("fields without an end", |frames, n| {
        let (kind, flags) = if n == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
        let more = if n == 0 { fields(&GET) } else { fields(&[("x", &"v".repeat(1000))]) };
        frames.send(kind, flags, 1, &more);
    }),
    ("continuations of nothing", |frames, n| {
        let (kind, flags) = if n == 0 { (HEADERS, END_STREAM) } else { (CONTINUATION, 0) };
        frames.send(kind, flags, 1, if n == 0 { &[0x82] } else { &[] });
    }),
    ("pings", |frames, _| frames.write(&frame(PING, 0, 0, &[0; 8]).repeat(50))),
    ("settings", |frames, _| frames.write(&frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]).repeat(50))),
    ("data without content", |frames, n| {
        if n == 0 {
            frames.send(HEADERS, END_HEADERS, 1, &fields(&POST));
        }
        frames.write(&frame(DATA, 0, 1, &[]).repeat(50));
    }),
    ("a bomb of compressed fields", |frames, n| {
        if n == 0 {
            // A large field into the dynamic table, then named again and again.
            let large = [&[0x40, 1, b'x', 127, 0xd1, 0x0e][..], &[b'v'; 2000]].concat();
            frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &[&fields(&GET)[..], &large].concat());
        } else {
            let block = [&fields(&GET)[..], &[0xbe; 4000]].concat();
            frames.send(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &block);
        }
    }),
];

#[test]
fn floods_end_and_others_are_served() {
    let (_upstream, gateway) = start();
    for (what, send) in FLOODS {
        let mut frames = Frames::connect(gateway.address("proxy"), &[]);
        for n in 0..2000 {
            if frames.closed {
                break;
            }
            send(&mut frames, n);
        }
        let others = gateway.get("/x");
        assert_eq!(others.status, 200, "during {what}");
        drop(frames);
        assert_eq!(gateway.get("/x").status, 200, "after {what}");
    }
}

#[test]
fn resets_without_end_end_the_connection() {
    let (_upstream, gateway) = start();
    for (what, send) in &FLOODS[..3] {
        let mut frames = Frames::connect(gateway.address("proxy"), &[]);
        for n in 0..5000 {
            send(&mut frames, n);
            if frames.closed {
                break;
            }
        }
        let mut gone = frames.closed;
        while let Some(frame) = frames.next() {
            gone |= frame.kind == GOAWAY;
        }
        assert!(gone, "{what}");
    }
}

#[test]
fn answers_that_nobody_reads_cost_little() {
    let (upstream, gateway) = start();
    let before = gateway.memory();
    // Windows of nothing: the client takes no byte of any body.
    let mut frames = Frames::connect(gateway.address("proxy"), &[(4, 0)]);
    let large = [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/large")];
    for n in 0..50 {
        frames.send(HEADERS, END_HEADERS | END_STREAM, 2 * n + 1, &fields(&large));
    }
    upstream.sees("all of them", |seen| seen.requests == 50);
    assert_eq!(gateway.get("/x").status, 200);
    let grown = gateway.memory().saturating_sub(before);
    // 64 KiB are buffered for a stream, and as much again on the side of the upstream.
    assert!(grown < 40 << 20, "{} MiB", grown >> 20);
    drop(frames);
}
