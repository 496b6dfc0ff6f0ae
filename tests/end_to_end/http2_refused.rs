//! HTTP/2 upstreams that reject a request: it is retried only if the upstream indicates that it was not processed.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};

use crate::{
    frames::{
        ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, End, Frames, GOAWAY, HEADERS, PING, RST_STREAM,
        SETTINGS, WINDOW_UPDATE, fields,
    },
    gateway::{Gateway, Setup},
};

/// How an upstream rejects its first request; it echoes the bodies of the others.
#[derive(Clone, Copy, Debug)]
enum First {
    /// A reset of the stream with this error.
    Reset(u32),
    /// GOAWAY with this last stream; the connection stays open or is closed.
    GoAway { last: u32, closes: bool },
    /// Answers with a head of 100 kB.
    LargeHead,
}

/// An upstream that rejects its first request, and the number of its requests.
fn start(first: First) -> (u16, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let counted = Arc::clone(&counted);
            std::thread::spawn(move || serve(Frames::accept(stream.unwrap()), first, &counted));
        }
    });
    (port, count)
}

fn serve(mut frames: Frames, first: First, count: &Mutex<usize>) {
    let (mut stream, mut body) = (0, Vec::new());
    while let Some(frame) = frames.next() {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => frames.send(SETTINGS, ACK, 0, &[]),
            PING if frame.flags & ACK == 0 => frames.send(PING, ACK, 0, &frame.payload),
            HEADERS => (stream, body) = (frame.stream, Vec::new()),
            DATA => {
                let more = u32::try_from(frame.payload.len()).unwrap().to_be_bytes();
                for of in [0, frame.stream].into_iter().filter(|_| !frame.payload.is_empty()) {
                    frames.send(WINDOW_UPDATE, 0, of, &more);
                }
                body.extend(frame.payload);
            }
            _ => continue,
        }
        if !matches!(frame.kind, HEADERS | DATA) || frame.flags & END_STREAM == 0 {
            continue;
        }
        let nth = {
            let mut count = count.lock().unwrap();
            *count += 1;
            *count
        };
        match first {
            First::Reset(error) if nth == 1 => frames.send(RST_STREAM, 0, stream, &error.to_be_bytes()),
            First::GoAway { last, closes } if nth == 1 => {
                frames.send(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat());
                if closes {
                    return frames.hang_up();
                }
            }
            First::LargeHead => {
                let block = [vec![0x88], fields(&[("x-large", &"v".repeat(100_000))])].concat();
                let pieces = block.chunks(16_000).count();
                for (n, piece) in block.chunks(16_000).enumerate() {
                    let kind = if n == 0 { HEADERS } else { CONTINUATION };
                    frames.send(kind, if n + 1 == pieces { END_HEADERS } else { 0 }, stream, piece);
                }
                frames.send(DATA, END_STREAM, stream, &[]);
            }
            _ => {
                frames.send(HEADERS, END_HEADERS, stream, &[0x88]);
                for piece in body.chunks(16_000) {
                    frames.send(DATA, 0, stream, piece);
                }
                frames.send(DATA, END_STREAM, stream, &[]);
            }
        }
    }
}

/// Sends a call of gRPC, its message in two frames.
fn call(gateway: &Gateway, message: &[u8]) -> End {
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "a.example"),
        (":path", "/x.Y/Z"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    frames.send(HEADERS, END_HEADERS, 1, &fields(&head));
    let (one, other) = message.split_at(message.len() / 2);
    for piece in one.chunks(16_000) {
        frames.send(DATA, 0, 1, piece);
    }
    let mut pieces = other.chunks(16_000).peekable();
    while let Some(piece) = pieces.next() {
        frames.send(DATA, if pieces.peek().is_none() { END_STREAM } else { 0 }, 1, piece);
    }
    frames.end_of(1)
}

/// Checks the outcome of a call, and the number of requests at the upstream.
#[track_caller]
fn check(first: First, message: &[u8], answered: bool, expected: usize) -> Gateway {
    let (port, count) = start(first);
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: 'grpc://127.0.0.1:{port}'\n  routes:\n  - {{name: r, paths: [/], protocols: [grpc]}}\n"
    );
    let gateway = Setup::with(&config).run();
    match call(&gateway, message) {
        End::Answered(200, body) if answered => assert_eq!(body, message, "{first:?}"),
        End::Answered(502, _) if !answered => {}
        other => panic!("{first:?}: {other:?}"),
    }
    assert_eq!(*count.lock().unwrap(), expected, "{first:?}");
    gateway
}

#[test]
fn a_request_that_was_not_processed_is_retried() {
    // REFUSED_STREAM (RFC 9113, section 8.7), and streams beyond the last one (section 6.8).
    for first in
        [First::Reset(7), First::GoAway { last: 0, closes: false }, First::GoAway { last: 0, closes: true }]
    {
        check(first, b"a message", true, 2);
        check(first, &vec![b'm'; 40_000], true, 2);
    }
}

#[test]
fn a_request_that_may_have_been_processed_is_not_sent_twice() {
    // INTERNAL_ERROR, and an end after the stream.
    check(First::Reset(2), b"a message", false, 1);
    check(First::GoAway { last: 1, closes: true }, b"a message", false, 1);
}

#[test]
fn the_log_names_the_bound_of_a_head() {
    let gateway = check(First::LargeHead, b"a message", false, 1);
    gateway.wait_for_log("the bound of nginx_proxy_proxy_buffer_size (KONG_NGINX_PROXY_PROXY_BUFFER_SIZE)");
}
