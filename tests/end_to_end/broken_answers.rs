//! Responses that an upstream aborts: the received part is forwarded, then the connection is aborted; the response is
//! never dropped and never looks complete.

use crate::{
    frames::{DATA, END_HEADERS, END_STREAM, Frames, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, fields},
    gateway::{Gateway, Setup},
    raw::Raw,
    scripted::{Script, Scripted},
};

/// Repetitions of each case, since a race does not lose data each time.
const TIMES: usize = 8;

const SIZES: [usize; 6] = [0, 1, 9, 5_000, 70_000, 1 << 20];

/// Scripts that abort after a number of bytes: first with a known length, then chunked.
fn start() -> (Scripted, Gateway) {
    let known = SIZES.map(|size| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", size + 100);
        Script::all([head.as_bytes(), &vec![b'x'; size]].concat())
    });
    let chunked = SIZES.map(|size| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let size_line = if size == 0 { String::new() } else { format!("{size:x}\r\n") };
        let end = if size == 0 { "" } else { "\r\n" };
        Script::all([head.as_bytes(), size_line.as_bytes(), &vec![b'x'; size], end.as_bytes()].concat())
    });
    // The abort comes some time after the data, or each byte is sent separately.
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 109\r\n\r\n";
    let slow = Script { pieces: vec![head.into(), b"xxxx".to_vec(), b"xxxxx".to_vec()], closes: true };
    let bytes = Script::cut(format!("{head}xxxxxxxxx"), 1).closing();
    let upstream = Scripted::start(known.into_iter().chain(chunked).chain([slow, bytes]).collect());
    let gateway = Setup::with(&upstream.config("retries: 0")).run();
    (upstream, gateway)
}

fn cases() -> impl Iterator<Item = (usize, usize)> {
    SIZES.into_iter().chain(SIZES).chain([9, 9]).enumerate()
}

/// Checks the response that an HTTP/1 client gets.
#[track_caller]
fn check(gateway: &Gateway, number: usize, size: usize, version: &str, connection: &str) {
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(&format!("GET /{number} HTTP/{version}\r\nHost: a\r\nConnection: {connection}\r\n\r\n"));
    let answer = raw.read_to_end();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{number}: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/{version} 200 OK\r\n")), "{head}");
    let chunked = head.contains("\r\ntransfer-encoding: chunked");
    assert_eq!(body.bytes().filter(|byte| *byte == b'x').count(), size, "{number}, {version}, {connection}");
    assert!(!chunked || !body.ends_with("0\r\n\r\n"), "{number}: it looks complete");
    let length = format!("\r\ncontent-length: {}", size + 100);
    assert!(chunked || version == "1.0" || head.contains(&length), "{head}");
}

#[test]
fn in_http_1_the_received_part_is_forwarded() {
    let (_upstream, gateway) = start();
    for (number, size) in cases() {
        for _ in 0..TIMES {
            check(&gateway, number, size, "1.1", "close");
            check(&gateway, number, size, "1.1", "keep-alive");
            check(&gateway, number, size, "1.0", "close");
        }
    }
}

#[test]
fn in_http_2_the_received_part_is_forwarded() {
    let (_upstream, gateway) = start();
    // A window of one million bytes for each stream.
    let mut frames = Frames::connect(gateway.address("proxy"), &[(4, 1 << 24)]);
    frames.send(WINDOW_UPDATE, 0, 0, &(1_u32 << 28).to_be_bytes());
    let mut stream = 1;
    for (number, size) in cases() {
        for _ in 0..TIMES {
            let path = format!("/{number}");
            let head = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", &path)];
            frames.send(HEADERS, END_HEADERS | END_STREAM, stream, &fields(&head));
            let (mut heads, mut received) = (0, 0);
            loop {
                let frame = frames.next().expect("the connection stays");
                if frame.kind == SETTINGS && frame.flags == 0 {
                    frames.send(SETTINGS, 1, 0, &[]);
                }
                if frame.stream != stream {
                    continue;
                }
                match frame.kind {
                    HEADERS => heads += 1,
                    DATA => received += frame.payload.len(),
                    RST_STREAM => break,
                    _ => {}
                }
                assert_eq!(frame.flags & END_STREAM, 0, "{number}: it looks complete");
            }
            assert_eq!((heads, received), (1, size), "{number}");
            stream += 2;
        }
    }
}
