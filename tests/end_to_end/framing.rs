//! Framing of messages: parsed and written anew, or refused; never forwarded unchecked. (RFC 9112, section 6)

use crate::{
    frames::{ACK, DATA, END_HEADERS, END_STREAM, End, Frames, HEADERS, RST_STREAM, SETTINGS, fields},
    gateway::{Gateway, Setup},
    raw::Raw,
    scripted::{Script, Scripted},
};

/// Sends a request over a TCP connection of its own.
fn ask(gateway: &Gateway, request: &str) -> String {
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(request);
    raw.read_to_end()
}

fn get(gateway: &Gateway, method: &str, number: usize) -> String {
    ask(gateway, &format!("{method} /{number} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
}

/// The result for an HTTP/2 client.
fn status_over_http2(gateway: &Gateway, method: &str, number: usize) -> End {
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    let path = format!("/{number}");
    let head = [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", &path)];
    frames.send(HEADERS, END_HEADERS | END_STREAM, 1, &fields(&head));
    frames.end_of(1)
}

#[test]
fn an_ambiguous_response_is_a_bad_gateway() {
    let sent = [
        ("GET", "transfer-encoding: chunked\r\ncontent-length: 4", "Content-Length and a Transfer-Encoding"),
        ("GET", "content-length: 40\r\ntransfer-encoding: chunked", "Content-Length and a Transfer-Encoding"),
        ("GET", "transfer-encoding: chunked\r\ncontent-length: x", "the Content-Length is invalid"),
        ("GET", "transfer-encoding: gzip\r\ncontent-length: 4", "the Transfer-Encoding is not chunked alone"),
        ("GET", "transfer-encoding: gzip, chunked", "the Transfer-Encoding is not chunked alone"),
        ("GET", "transfer-encoding: chunked, chunked", "the Transfer-Encoding is not chunked alone"),
        ("GET", "transfer-encoding: identity", "the Transfer-Encoding is not chunked alone"),
        ("GET", "content-length: 4\r\ncontent-length: 4", "several Content-Length fields"),
        ("GET", "content-length: 4, 4", "the Content-Length is invalid"),
        ("GET", "content-length: 0004", "the Content-Length is invalid"),
        ("GET", "content-length: +4", "the Content-Length is invalid"),
        ("GET", "content-length:", "the Content-Length is invalid"),
        ("HEAD", "content-length: x", "the Content-Length is invalid"),
        ("HEAD", "content-length: 4\r\ntransfer-encoding: chunked", "Content-Length and a Transfer-Encoding"),
    ];
    let scripts = sent.iter().flat_map(|(_, fields, _)| {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n0123456789");
        [Script::all(&text), Script::cut(&text, 7).closing()]
    });
    let upstream = Scripted::start(scripts.collect());
    let gateway = Setup::with(&upstream.config("retries: 5")).run();
    for (nth, (method, fields, reason)) in sent.iter().enumerate() {
        for number in [2 * nth, 2 * nth + 1] {
            let answer = get(&gateway, method, number);
            assert!(answer.starts_with("HTTP/1.1 502 "), "{fields}: {answer}");
            assert!(!answer.contains("0123"), "{fields}: {answer}");
            assert_eq!(upstream.played(number), 1, "{fields}: it is not asked for again");
            let End::Answered(status, _) = status_over_http2(&gateway, method, number) else {
                panic!("{fields}: not answered");
            };
            assert_eq!(status, 502, "{fields}");
        }
        gateway.wait_for_log(reason);
    }
}

#[test]
fn content_length_is_kept_only_where_a_body_of_that_length_is_possible() {
    let sent = [
        ("HEAD", "200 OK", "content-length: 4", true),
        ("GET", "304 Not Modified", "content-length: 4", true),
        ("GET", "204 No Content", "content-length: 4", false),
        ("HEAD", "200 OK", "transfer-encoding: chunked", false),
    ];
    let scripts =
        sent.map(|(_, status, fields, _)| Script::all(format!("HTTP/1.1 {status}\r\n{fields}\r\n\r\n")));
    let upstream = Scripted::start(scripts.into());
    let gateway = Setup::with(&upstream.config("retries: 0")).run();
    for (number, (method, status, _, left)) in sent.into_iter().enumerate() {
        let answer = get(&gateway, method, number);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert_eq!(answer.contains("\r\ncontent-length: 4\r\n"), left, "{answer}");
        assert!(!answer.contains("transfer-encoding"), "{answer}");
    }
}

#[test]
fn an_invalid_head_is_refused_however_it_is_split() {
    let heads = ["HTTP/1.1 200 OK\r\na b", "HTTP/1.1 200 OK\r\na b\r\n\r\n", "SSH-2.0-x\r\n"];
    let cut = heads
        .map(|head| [Script::all(head), Script::cut(head, 17).closing(), Script::cut(head, 1).closing()]);
    let upstream = Scripted::start(cut.into_iter().flatten().collect());
    let gateway = Setup::with(&upstream.config("retries: 5")).run();
    for number in 0..9 {
        let answer = get(&gateway, "GET", number);
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert_eq!(upstream.played(number), 1, "number {number} is not asked for again");
    }
}

#[test]
fn trailers_are_forwarded_completely_or_the_response_is_aborted() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: a\r\n\r\n2\r\nok\r\n";
    let sent = [
        "0\r\na: b\n\nxyz\r\n\r\n",
        "0\r\na: b\n\r\n\r\n",
        "0\na: b\r\n\r\n",
        "0\r\na b\r\n\r\n",
        "0\r\na: b\r\n\r\n",
    ];
    let upstream = Scripted::start(sent.iter().map(|end| Script::all(format!("{head}{end}"))).collect());
    let gateway = Setup::with(&upstream.config("retries: 0")).run();
    for number in 0..sent.len() {
        let request =
            format!("GET /{number} HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE, close\r\n\r\n");
        let answer = ask(&gateway, &request);
        let is_whole = number == sent.len() - 1;
        assert!(answer.contains("\r\n\r\n2\r\nok\r\n"), "{number}: {answer}");
        assert_eq!(answer.ends_with("0\r\na: b\r\n\r\n"), is_whole, "{number}: {answer}");
        assert_eq!(answer.contains("\r\n0\r\n"), is_whole, "{number}: {answer}");
    }
}

#[test]
fn bytes_after_a_response_are_not_a_response() {
    let evil = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";
    let scripts = vec![
        Script::cut(format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok{evil}"), 10_000),
        Script::cut("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nright", 10_000),
    ];
    let upstream = Scripted::start(scripts);
    let gateway = Setup::with(&upstream.config("retries: 0")).run();
    for _ in 0..5 {
        assert!(get(&gateway, "GET", 0).ends_with("\r\n\r\nok"));
        assert!(get(&gateway, "GET", 1).ends_with("\r\n\r\nright"));
    }
    gateway.wait_for_log("bytes after the end of its response");
}

#[test]
fn transfer_codings_of_requests_are_not_forwarded() {
    let upstream = Scripted::start(vec![Script::all("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")]);
    let gateway = Setup::with(&upstream.config("retries: 0")).run();
    for (coding, status) in [
        ("gzip, chunked", "501"),
        ("gzip\r\nTransfer-Encoding: chunked", "501"),
        ("identity, chunked", "501"),
        ("chunked, chunked", "400"),
        ("gzip", "400"),
        ("chunked, gzip", "400"),
    ] {
        for address in ["proxy", "admin"] {
            let mut raw = Raw::connect(gateway.address(address));
            raw.send(&format!(
                "POST /0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n2\r\nok\r\n0\r\n\r\n\
                 GET /0 HTTP/1.1\r\nHost: a\r\n\r\n"
            ));
            let answer = raw.read_to_end();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{coding}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{coding}: {answer}");
        }
    }
    assert_eq!(upstream.played(0), 0);
}

/// An upstream of HTTP/2 that answers every request with these fields and this body.
fn start_http2(block: Vec<u8>, body: &'static [u8]) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let block = block.clone();
            std::thread::spawn(move || {
                let mut frames = Frames::accept(stream.unwrap());
                while let Some(frame) = frames.next() {
                    if frame.kind == SETTINGS && frame.flags & ACK == 0 {
                        frames.send(SETTINGS, ACK, 0, &[]);
                    }
                    if matches!(frame.kind, HEADERS | DATA) && frame.flags & END_STREAM != 0 {
                        frames.send(HEADERS, END_HEADERS, frame.stream, &block);
                        frames.send(DATA, END_STREAM, frame.stream, body);
                    }
                }
            });
        }
    });
    port
}

#[test]
fn ambiguous_http_2_responses_are_refused() {
    for (fields_sent, is_answered) in [
        (&[("content-length", "10")][..], true),
        (&[], true),
        (&[("content-length", "10"), ("content-length", "10")], false),
        (&[("content-length", "0010")], false),
        (&[("content-length", "10, 10")], false),
        (&[("content-length", "x")], false),
        (&[("content-length", "+10")], false),
        (&[("transfer-encoding", "chunked")], false),
        (&[("connection", "close")], false),
        (&[("Upper", "a")], false),
        (&[("a b", "c")], false),
        (&[("a", "b\r\nc: d")], false),
        (&[("a", "b\nc")], false),
        (&[("a", "b\0c")], false),
        (&[("a:", "b")], false),
    ] {
        let mut block = vec![0x88];
        block.extend(fields(fields_sent));
        let port = start_http2(block, b"0123456789");
        match call(&http2_gateway(port)) {
            End::Answered(200, body) if is_answered => assert_eq!(body, b"0123456789", "{fields_sent:?}"),
            End::Answered(502, _) if !is_answered => {}
            other => panic!("{fields_sent:?}: {other:?}"),
        }
    }
}

#[test]
fn an_http_2_body_has_its_declared_length() {
    for length in ["4", "40"] {
        let mut block = vec![0x88];
        block.extend(fields(&[("content-length", length)]));
        // The response is refused or aborted.
        let end = call(&http2_gateway(start_http2(block, b"0123456789")));
        assert!(matches!(end, End::Answered(502, _) | End::Reset(_)), "{end:?}");
    }
}

fn http2_gateway(port: u16) -> Gateway {
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: two\n  url: grpc://127.0.0.1:{port}\n  retries: 0\n  \
         routes: [{{name: all, paths: [/], protocols: [grpc]}}]\n"
    );
    Setup::with(&config).run()
}

fn call(gateway: &Gateway) -> End {
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/x.Y/Z"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut frames = Frames::connect(gateway.address("proxy"), &[]);
    frames.send(HEADERS, END_HEADERS, 1, &fields(&head));
    frames.send(DATA, END_STREAM, 1, b"a message");
    frames.end_of(1)
}

#[test]
fn late_bytes_after_a_response_are_not_a_response() {
    let evil = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil".to_vec();
    let first = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec();
    let upstream = Scripted::start(vec![
        Script { pieces: vec![first, evil], closes: false },
        Script::cut("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nright", 10_000),
    ]);
    let gateway = Setup::with(&upstream.config("retries: 0")).run();
    for _ in 0..5 {
        assert!(get(&gateway, "GET", 0).ends_with("\r\n\r\nok"));
        crate::pause(30);
        assert!(get(&gateway, "GET", 1).ends_with("\r\n\r\nright"));
    }
}

/// The bytes that an upstream gets of a request whose client disconnects during the body.
fn received(send: impl FnOnce(&Gateway)) -> String {
    use std::io::Read;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // Larger than the read-ahead buffer, so that the request is forwarded.
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://127.0.0.1:{port}\n  \
         routes: [{{name: all, paths: [/], request_buffering: false}}]\n"
    );
    let gateway = Setup::with(&config).run();
    send(&gateway);
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(crate::PATIENCE)).unwrap();
    let mut text = Vec::new();
    // The connection may also end with a reset.
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn an_aborted_upload_never_looks_complete() {
    let leave = |request: String| {
        move |gateway: &Gateway| {
            let mut raw = Raw::connect(gateway.address("proxy"));
            raw.send(&request);
            crate::pause(50);
        }
    };
    let head = "POST /x HTTP/1.1\r\nHost: a\r\n";
    let text = received(leave(format!("{head}Content-Length: 100\r\n\r\nonly-part")));
    assert!(text.contains("\r\ncontent-length: 100\r\n") && text.ends_with("\r\n\r\nonly-part"), "{text}");
    for body in ["9\r\nonly-part\r\n", "9\r\nonly-part\r\n0\r\n", "9\r\nonly-part", "9\r\nonly-part\r\nx\r\n"]
    {
        let text = received(leave(format!("{head}Transfer-Encoding: chunked\r\n\r\n{body}")));
        assert!(text.contains("\r\ntransfer-encoding: chunked\r\n"), "{text}");
        assert!(text.contains("only-part") && !text.ends_with("0\r\n\r\n"), "{text}");
    }
    // In HTTP/2: the stream is reset, or its length differs from the declared one.
    for (length, then) in [("100", Some(RST_STREAM)), ("100", None), ("5", None)] {
        let text = received(|gateway| {
            let mut frames = Frames::connect(gateway.address("proxy"), &[]);
            let head = [
                (":method", "POST"),
                (":scheme", "http"),
                (":authority", "a"),
                (":path", "/x"),
                ("content-length", length),
            ];
            frames.send(HEADERS, END_HEADERS, 1, &fields(&head));
            match then {
                Some(_) => {
                    frames.send(DATA, 0, 1, b"only-part");
                    crate::pause(50);
                    frames.send(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
                }
                None => {
                    frames.send(DATA, 0, 1, b"only");
                    crate::pause(50);
                    frames.send(DATA, END_STREAM, 1, b"-part");
                    frames.end_of(1);
                }
            }
        });
        let (_, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        assert!(text.contains(&format!("\r\ncontent-length: {length}\r\n")), "{text}");
        assert_ne!(body.len().to_string(), length, "{text}");
    }
}

#[test]
fn an_early_response_arrives_during_the_upload() {
    let gateway = Setup::with(
        "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/]\n  plugins:\n  - name: request-size-limiting\n    \
         config: {allowed_payload_size: 1, size_unit: bytes}\n",
    )
    .run();
    for _ in 0..10 {
        let mut raw = Raw::connect(gateway.address("proxy"));
        raw.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
        // The client reads nothing before the whole body is sent.
        for _ in 0..80 {
            raw.send(&"x".repeat(100_000));
        }
        let answer = raw.read_to_end();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
}

#[test]
fn a_too_large_body_is_rejected_before_100_continue() {
    let config = "_format_version: \"3.0\"\nroutes:\n- name: r\n  paths: [/r]\n  plugins:\n  - name: request-size-limiting\n    \
         config: {allowed_payload_size: 4, size_unit: bytes}\n- {name: all, paths: [/all]}\n";
    let gateway = Setup::with(config).env("KONG_NGINX_HTTP_CLIENT_MAX_BODY_SIZE", "4").run();
    let expect = "Host: a\r\nExpect: 100-continue\r\n";
    for path in ["/r", "/all"] {
        let answer = ask(&gateway, &format!("POST {path} HTTP/1.1\r\n{expect}Content-Length: 5\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 413 ") || answer.starts_with("HTTP/1.1 417 "), "{answer}");
    }
    // The length of a chunked body is unknown: the client gets 100 Continue, then 413.
    let gateway = Setup::with(config).run();
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(&format!("POST /r HTTP/1.1\r\n{expect}Transfer-Encoding: chunked\r\n\r\n"));
    raw.read_until("HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("5\r\n12345\r\n0\r\n\r\n");
    raw.read_until("HTTP/1.1 413 ");
}
