//! WebSocket over HTTP/2: a tunnel in one stream of a shared connection. (RFC 8441)

use crate::{
    frames::{DATA, END_HEADERS, END_STREAM, End, Frames, HEADERS, SETTINGS, fields},
    gateway::{Gateway, Setup},
    upstream::Upstream,
    web_socket_peer::{BINARY, CLOSE, Echo, TEXT, frame},
};

/// `SETTINGS_ENABLE_CONNECT_PROTOCOL`, which allows extended CONNECT.
const ENABLE_CONNECT_PROTOCOL: [u8; 6] = [0, 8, 0, 0, 0, 1];

fn start() -> (Echo, Upstream, Gateway) {
    let (echo, plain) = (Echo::start(false), Upstream::start());
    let config = format!(
        "\
_format_version: \"3.0\"
services:
- {{name: s, url: 'http://localhost:{}', routes: [{{name: r, paths: [/], methods: [GET]}}]}}
- {{name: p, url: 'http://{}', routes: [{{name: p, paths: [/plain], methods: [GET]}}]}}
routes:
- {{name: t, paths: [/ends], methods: [GET], plugins: [{{name: request-termination, config: {{status_code: 200}}}}]}}
",
        echo.port, plain.address
    );
    let gateway = Setup::with(&config).env("KONG_GRACEFUL_TIMEOUT", "1").run();
    (echo, plain, gateway)
}

/// Sends an extended CONNECT for a path on this stream.
fn connect(frames: &mut Frames, stream: u32, path: &str, protocol: &str) {
    let head = [
        (":method", "CONNECT"),
        (":protocol", protocol),
        (":scheme", "http"),
        (":authority", "a.example"),
        (":path", path),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat"),
    ];
    frames.send(HEADERS, END_HEADERS, stream, &fields(&head));
}

/// Reads this many bytes from a stream; `None` if it ends before.
fn read(frames: &mut Frames, stream: u32, length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let frame = frames.next()?;
        if frame.stream == stream && frame.kind == DATA {
            bytes.extend(&frame.payload);
            if frame.flags & END_STREAM != 0 && bytes.len() < length {
                return None;
            }
        }
    }
    Some(bytes)
}

/// Waits until the tunnel is open.
#[track_caller]
fn opened(frames: &mut Frames, stream: u32) {
    let head = std::iter::from_fn(|| frames.next()).find(|frame| frame.stream == stream).unwrap();
    assert_eq!(
        (head.kind, head.payload.iter().find(|byte| **byte & 0xe0 != 0x20)),
        (HEADERS, Some(&0x88)),
        "{head:?}"
    );
    assert_eq!(head.flags & END_STREAM, 0);
}

#[test]
fn messages_pass_concurrently_with_other_requests() {
    let (echo, _plain, gateway) = start();
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    let settings = std::iter::from_fn(|| frames.next()).find(|frame| frame.kind == SETTINGS).unwrap();
    assert!(settings.payload.chunks(6).any(|setting| setting == ENABLE_CONNECT_PROTOCOL), "{settings:?}");
    connect(&mut frames, 1, "/chat", "websocket");
    opened(&mut frames, 1);
    let got = echo.wait_until("GET /chat HTTP/1.1").to_ascii_lowercase();
    for field in ["upgrade: websocket", "sec-websocket-protocol: chat", "via: 2 mynah/", "host: localhost:"] {
        assert!(got.contains(field), "{field}: {got}");
    }
    assert!(!got.contains(":protocol"), "{got}");
    for content in [&b"hello"[..], &[7; 10_000]] {
        frames.send(DATA, 0, 1, &frame(BINARY, content, true));
        let expected = frame(BINARY, content, false);
        assert_eq!(read(&mut frames, 1, expected.len()), Some(expected));
        // Another request, while the tunnel is open.
        let head =
            [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/plain/x")];
        let stream = if content.len() == 5 { 3 } else { 5 };
        frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields(&head));
        assert!(matches!(frames.end_of(stream), End::Answered(200, _)));
    }
    frames.send(DATA, END_STREAM, 1, &[]);
    echo.wait_until("end");
}

#[test]
fn without_a_101_response_there_is_no_tunnel() {
    let (_echo, _plain, gateway) = start();
    for (path, protocol) in
        [("/refused", "websocket"), ("/plain", "websocket"), ("/ends", "websocket"), ("/chat", "connect-udp")]
    {
        let mut frames = Frames::connect(gateway.address("proxy"), &[]);
        connect(&mut frames, 1, path, protocol);
        let end = frames.end_of(1);
        assert!(!matches!(end, End::Answered(200, _)), "{path}: {end:?}");
        let text =
            if let End::Answered(_, body) = end { String::from_utf8(body).unwrap() } else { String::new() };
        match path {
            "/refused" => assert_eq!(text, "no!\n"),
            "/chat" => {}
            _ => assert!(
                text.starts_with("An invalid response was received from the upstream server"),
                "{path}: {text}"
            ),
        }
    }
}

#[test]
fn at_the_end_of_the_grace_period_both_ends_receive_going_away() {
    let (echo, _plain, gateway) = start();
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    connect(&mut frames, 1, "/chat", "websocket");
    opened(&mut frames, 1);
    gateway.signal("TERM");
    gateway.wait_for_log("SIGTERM: no new connections");
    frames.send(DATA, 0, 1, &frame(TEXT, b"within the grace", true));
    let expected =
        [frame(TEXT, b"within the grace", false), frame(CLOSE, &1001_u16.to_be_bytes(), false)].concat();
    assert_eq!(read(&mut frames, 1, expected.len()), Some(expected));
    echo.wait_until("closed with 1001");
    assert_eq!(gateway.outcome().code, Some(0));
}
