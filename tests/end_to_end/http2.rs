//! HTTP/2 from clients: malformed requests are rejected, and others are forwarded as in HTTP/1.1.

use crate::{
    frames::{DATA, END_HEADERS, END_STREAM, End, Frames, HEADERS, WINDOW_UPDATE, fields},
    gateway::{Gateway, Setup},
    upstream::Upstream,
};

pub(crate) fn start() -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: 'http://{}'\n  routes:\n  - {{name: r, paths: [/]}}\n  - {{name: u, paths: [/at-once], request_buffering: false}}\n",
        upstream.address
    );
    let gateway = Setup::with(&config).run();
    (upstream, gateway)
}

pub(crate) const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x")];
pub(crate) const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x")];

/// Sends one request, with or without a body, over a connection of its own.
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

/// How a request is refused.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// A reset of the stream, with `PROTOCOL_ERROR`.
    Stream,
    /// The end of the connection, since the fields cannot be parsed.
    Connection,
    /// A response with this status.
    Status(u16),
}
use Refused::{Connection, Status, Stream};

#[test]
fn malformed_requests_are_rejected() {
    let (upstream, gateway) = start();
    let of = |method, scheme, authority, path| pseudo(method, scheme, authority, path);
    // (RFC 9113, sections 8.2, 8.3 and 10.3)
    let heads = [
        // Connection-specific fields, and names in upper case.
        (with(&GET, &[("X-Upper", "1")]), Connection),
        (with(&GET, &[("connection", "close")]), Stream),
        (with(&GET, &[("keep-alive", "timeout=5")]), Stream),
        (with(&GET, &[("proxy-connection", "close")]), Stream),
        (with(&GET, &[("transfer-encoding", "chunked")]), Stream),
        (with(&GET, &[("upgrade", "websocket")]), Stream),
        (with(&GET, &[("te", "gzip")]), Stream),
        (with(&GET, &[("te", "trailers, gzip")]), Stream),
        // Values that would be two lines or two fields in HTTP/1.1.
        (with(&GET, &[("x", "a\r\nevil: 1")]), Connection),
        (with(&GET, &[("x", "a\nb")]), Connection),
        (with(&GET, &[("x", "a\rb")]), Connection),
        (with(&GET, &[("x", "a\0b")]), Connection),
        (with(&GET, &[("cookie", "a=1"), ("cookie", "b\r\nevil: 1")]), Connection),
        (with(&GET, &[("x", " a")]), Status(400)),
        (with(&GET, &[("x", "a\t")]), Status(400)),
        (with(&GET, &[("", "1")]), Connection),
        (with(&GET, &[("x y", "1")]), Connection),
        (with(&GET, &[("x\r\ny", "1")]), Connection),
        (with(&GET, &[("x:y", "1")]), Connection),
        // Pseudo-header fields: one of each, known ones, before the others.
        (with(&GET, &[(":path", "/again")]), Stream),
        (with(&GET, &[(":method", "GET")]), Stream),
        (with(&GET, &[(":scheme", "http")]), Stream),
        (with(&GET, &[(":authority", "a.example")]), Stream),
        (with(&GET, &[(":unknown", "1")]), Connection),
        (with(&GET, &[(":status", "200")]), Stream),
        (with(&GET, &[(":protocol", "websocket")]), Stream),
        (with(&[("x", "1")], &GET), Stream),
        (of("GET", "http", "a.example", ""), Stream),
        (of("", "http", "a.example", "/"), Stream),
        (of("GET", "", "a.example", "/"), Stream),
        (with(&of("GET", "http", "a.example", ""), &[(":path", "")]), Stream),
        (with(&of("GET", "http", "", "/"), &[(":authority", "")]), Stream),
        (with(&of("GET", "", "a.example", "/"), &[(":scheme", "")]), Status(400)),
        // Invalid paths and hosts.
        (of("GET", "http", "a.example", "/a b"), Stream),
        (of("GET", "http", "a.example", "/a\r\nevil: 1"), Stream),
        (of("GET", "http", "a.example", "/a HTTP/1.1\r\nevil: 1"), Stream),
        (of("GET", "http", "a.example", "no-slash"), Stream),
        (of("GET", "http", "a.example", "http://b.example/"), Stream),
        (of("GET", "http", "a.example", "*"), Status(400)),
        (of("GET", "http", "a.example", "?q"), Status(400)),
        (of("GE T", "http", "a.example", "/"), Connection),
        (of("GET / HTTP/1.1\r\nevil: 1\r\n\r\nGET", "http", "a.example", "/"), Connection),
        (of("get", "http", "a.example", "/"), Status(400)),
        (of("GET", "http\r\nx: 1", "a.example", "/"), Stream),
        (of("GET", "1http", "a.example", "/"), Status(400)),
        (of("GET", "http", "a.example\r\nevil: 1", "/"), Stream),
        (of("GET", "http", "a b", "/"), Stream),
        (of("GET", "http", "user@a.example", "/"), Status(400)),
        (of("GET", "http", "a.example:99999", "/"), Status(400)),
        (of("GET", "http", "", "/"), Status(400)),
        (with(&of("GET", "http", "", "/"), &[("host", "")]), Status(400)),
        (with(&GET, &[("host", "a.example"), ("host", "a.example")]), Status(400)),
        (with(&GET, &[("host", "b.example")]), Status(400)),
        (with(&GET, &[("host", "a.example:80")]), Status(400)),
        // Methods that a proxy does not pass on.
        (of("CONNECT", "", "a.example:80", ""), Status(400)),
        (of("CONNECT", "http", "a.example", "/"), Stream),
        (of("TRACE", "http", "a.example", "/"), Status(405)),
    ];
    for (head, expected) in heads {
        let found = match ask(&gateway, &head, None) {
            End::Answered(status, _) => Status(status),
            End::Reset(1) => Stream,
            End::Reset(code) => panic!("{head:?} was reset with {code}"),
            End::Gone => Connection,
        };
        assert_eq!(found, expected, "{head:?}");
    }
    upstream.wait_until("nothing of it", |seen| seen.requests == 0);
    assert!(matches!(ask(&gateway, &GET, None), End::Answered(200, _)));
}

/// Sends a request with trailers; the path decides whether its body is read ahead.
fn ask_with_trailers(gateway: &Gateway, path: &str, block: &[u8]) -> End {
    let head = pseudo("POST", "http", "a.example", path);
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    frames.send(HEADERS, END_HEADERS, 1, &fields(&with(&head, &[("te", "trailers"), ("trailer", "x-sum")])));
    frames.send(DATA, 0, 1, b"abc");
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, block);
    frames.end_of(1)
}

#[test]
fn malformed_trailers_reject_the_request() {
    let (upstream, gateway) = start();
    let blocks = [
        (fields(&[(":path", "/other")]), End::Reset(1)),
        (fields(&[(":method", "GET"), ("x-sum", "1")]), End::Reset(1)),
        (fields(&[("x-sum", "1"), (":authority", "b.example")]), End::Reset(1)),
        (fields(&[(":status", "200")]), End::Reset(1)),
        // From the static table, and after a change of the dynamic one.
        (vec![0x82], End::Reset(1)),
        (vec![0x20, 0x3f, 0xe1, 0x1f, 0x84], End::Reset(1)),
        (fields(&[("connection", "close")]), End::Reset(1)),
        (fields(&[("transfer-encoding", "chunked")]), End::Reset(1)),
        (fields(&[("X-Sum", "1")]), End::Gone),
        (fields(&[("x-sum", "1\r\nevil: 1")]), End::Gone),
    ];
    for path in ["/x", "/at-once/x"] {
        for (block, expected) in &blocks {
            assert_eq!(&ask_with_trailers(&gateway, path, block), expected, "{path} {block:?}");
        }
    }
    assert_eq!(upstream.seen().whole, 0);
    for block in [fields(&[("x-sum", "1")]), fields(&[]), fields(&[("content-length", "9"), ("host", "b")])] {
        for path in ["/x", "/at-once/x"] {
            let End::Answered(200, body) = ask_with_trailers(&gateway, path, &block) else {
                panic!("{block:?}")
            };
            let body = String::from_utf8_lossy(&body).into_owned();
            assert!(body.contains("\"body\":\"abc\"") && body.contains("\"host\":\"127."), "{body}");
        }
    }
    assert_eq!(upstream.seen().whole, 6);
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let (_upstream, gateway) = start();
    let large = |size: usize| "v".repeat(size);
    let crumbs: Vec<(String, String)> = (0..300).map(|n| ("cookie".into(), format!("c{n}=1"))).collect();
    let many: Vec<(String, String)> = (0..101).map(|n| (format!("x{n}"), "1".into())).collect();
    let eight: Vec<(String, String)> = (0..9).map(|n| (format!("x{n}"), large(7900))).collect();
    for (more, status) in [
        (crumbs, 200),
        (many, 400),
        (vec![("x".into(), large(9000))], 400),
        (eight, 431),
        (vec![(":path".into(), format!("/{}", large(9000)))], 414),
    ] {
        let more: Vec<(&str, &str)> = more.iter().map(|(name, value)| (&**name, &**value)).collect();
        let of_path = more.iter().any(|(name, _)| *name == ":path");
        let head = if of_path { with(&GET[..3], &more) } else { with(&GET, &more) };
        let mut frames = Frames::connect(gateway.address("proxy"), &[]);
        let block = fields(&head);
        let (first, rest) = block.split_at(block.len().min(16_000));
        let alone = if rest.is_empty() { END_HEADERS } else { 0 };
        frames.send(HEADERS, END_STREAM | alone, 1, first);
        let mut pieces = rest.chunks(16_000).peekable();
        while let Some(piece) = pieces.next() {
            let flags = if pieces.peek().is_none() { END_HEADERS } else { 0 };
            frames.send(crate::frames::CONTINUATION, flags, 1, piece);
        }
        let end = frames.end_of(1);
        assert!(matches!(end, End::Answered(found, _) if found == status), "{status}: {end:?}");
        // Other requests on the connection are unaffected.
        frames.send(HEADERS, END_HEADERS | END_STREAM, 3, &fields(&GET));
        assert!(matches!(frames.end_of(3), End::Answered(..)), "after {status}");
    }
}

#[test]
fn the_size_of_a_head_is_configurable() {
    let config = "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  - name: request-termination\n    \
         config: {status_code: 200, message: hi}\n";
    let gateway = Setup::with(config).env("KONG_NGINX_HTTP_LARGE_CLIENT_HEADER_BUFFERS", "4 64k").run();
    for (count, status) in [(3, 200), (5, 400)] {
        let large: Vec<(String, String)> =
            (0..count).map(|n| (format!("x{n}"), "v".repeat(60_000))).collect();
        let more: Vec<(&str, &str)> = large.iter().map(|(name, value)| (&**name, &**value)).collect();
        let block = fields(&with(&GET, &more));
        let mut frames = Frames::connect(gateway.address("proxy"), &[]);
        let mut pieces = block.chunks(16_000).enumerate().peekable();
        while let Some((nth, piece)) = pieces.next() {
            let last = if pieces.peek().is_none() { END_HEADERS } else { 0 };
            let (kind, flags) =
                if nth == 0 { (HEADERS, END_STREAM) } else { (crate::frames::CONTINUATION, 0) };
            frames.send(kind, flags | last, 1, piece);
        }
        let end = frames.end_of(1);
        assert!(matches!(end, End::Answered(found, _) if found == status), "{status}: {end:?}");
    }
}

#[test]
fn invalid_window_updates_end_the_stream_or_the_connection() {
    let (_upstream, gateway) = start();
    // (RFC 9113, section 6.9; FLOW_CONTROL_ERROR is 3)
    let update = |stream: u32, more: u32| {
        let mut frames = Frames::connect(gateway.address("proxy"), &[]);
        frames.send(HEADERS, END_HEADERS, 1, &fields(&POST));
        frames.send(WINDOW_UPDATE, 0, stream, &more.to_be_bytes());
        frames.end_of(1)
    };
    assert_eq!(update(1, u32::MAX >> 1), End::Reset(3));
    assert_eq!(update(1, 0), End::Gone);
    assert_eq!(update(0, 0), End::Gone);
    assert_eq!(update(0, u32::MAX >> 1), End::Gone);
    // A window that becomes negative, and grows again.
    let mut frames = Frames::connect(gateway.address("proxy"), &[(4, 10)]);
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&GET));
    while frames.next().is_some_and(|frame| frame.kind != DATA) {}
    frames.send(crate::frames::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    frames.send(WINDOW_UPDATE, 0, 1, &10_000_u32.to_be_bytes());
    assert!(matches!(frames.end_of(1), End::Answered(..)));
}

#[test]
fn a_body_has_its_declared_length() {
    let (_upstream, gateway) = start();
    for (length, body, fits) in
        [("3", "abc", true), ("5", "abc", false), ("2", "abc", false), ("x", "abc", false)]
    {
        let end = ask(&gateway, &with(&POST, &[("content-length", length)]), Some(body.as_bytes()));
        assert_eq!(matches!(end, End::Answered(200, _)), fits, "{length} for {body}: {end:?}");
    }
}

#[test]
fn upstreams_receive_the_same_request_as_in_http_1_1() {
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
