//! Bodies that look like protocol messages: their bytes are forwarded unchanged, however they are split.

use std::net::TcpListener;

use crate::{
    frames::{DATA, END_STREAM, HEADERS, frame},
    gateway::{Gateway, Setup},
    raw::Raw,
    scripted::{Script, Scripted},
};

/// What the HTTP library's own refusal looks like.
const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

fn bodies() -> Vec<Vec<u8>> {
    let dated = REFUSAL.replace("\r\n\r\n", "\r\ndate: Tue, 24 Nov 2026 19:00:00 GMT\r\n\r\n");
    vec![
        REFUSAL.into(),
        dated.into(),
        REFUSAL.replace("400 Bad Request", "431 Request Header Fields Too Large").into(),
        REFUSAL.replace("HTTP/1.1 400", "HTTP/1.0 414").into(),
        REFUSAL.repeat(3).into(),
        "HTTP/1.1 100 Continue\r\n\r\n".into(),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n".into(),
        "0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into(),
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n".into(),
        "\r\n\r\nGET / HTTP/2.0\r\n\r\n".into(),
        [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(HEADERS, 4, 1, b"A"), &frame(HEADERS, 5, 1, b"A")]
            .concat(),
        [frame(HEADERS, 4, 1, b"A"), frame(HEADERS, 5, 1, b"A"), frame(DATA, END_STREAM, 1, b"x")].concat(),
    ]
}

/// An answer with this body, its head and the body in pieces of this size.
fn script(body: &[u8], chunked: bool, size: usize) -> Script {
    let framing = if chunked {
        "transfer-encoding: chunked".to_owned()
    } else {
        format!("content-length: {}", body.len())
    };
    let mut pieces = vec![format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").into_bytes()];
    for piece in body.chunks(size) {
        pieces.push(if chunked {
            [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
        } else {
            piece.to_vec()
        });
    }
    if chunked {
        pieces.push(b"0\r\n\r\n".to_vec());
    }
    Script { pieces, closes: false }
}

#[test]
fn a_response_body_is_unchanged() {
    let bodies = bodies();
    let mut scripts = Vec::new();
    for body in &bodies {
        for chunked in [false, true] {
            scripts.extend([1000, 24, 5].map(|size| script(body, chunked, size)));
        }
    }
    let upstream = Scripted::start(scripts);
    let gateway = Setup::with(&upstream.config("retries: 0")).run();
    for (nth, body) in bodies.iter().enumerate() {
        for number in 6 * nth..6 * nth + 6 {
            // HTTP/1.0 gets the body unframed; a second request shows that nothing was added to the first response.
            let mut raw = Raw::connect(gateway.address("proxy"));
            raw.send(&format!("GET /{number} HTTP/1.0\r\nHost: a\r\n\r\n"));
            let answer = raw.read_to_end();
            let text = String::from_utf8_lossy(body);
            assert!(answer.ends_with(&format!("\r\n\r\n{text}")), "{number}: {answer:?}");
            assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, text, "{number}");
            let answer = gateway.get(&format!("/{number}"));
            assert_eq!((answer.status, answer.text()), (200, &*text), "{number}");
        }
    }
    assert!(!gateway.log().contains("\" 400 "), "{}", gateway.log());
}

/// The request as an upstream gets it.
fn received(gateway: &Gateway, listener: &TcpListener, pieces: &[&[u8]]) -> String {
    use std::io::{Read, Write};
    let mut client = std::net::TcpStream::connect(gateway.address("proxy")).unwrap();
    client.set_nodelay(true).unwrap();
    for piece in pieces {
        client.write_all(piece).unwrap();
        crate::pause(2);
    }
    let (mut stream, _) = listener.accept().unwrap();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !text.ends_with(b"THE END") {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "{:?}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&buffer[..read]);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn a_request_body_is_unchanged() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- name: s\n  url: http://127.0.0.1:{port}\n  routes: [{{name: all, paths: [/]}}]\n"
    );
    let gateway = Setup::with(&config).run();
    for body in bodies() {
        let body = [&body[..], b"THE END"].concat();
        // `PRI` is a method like any other, if what follows is not HTTP/2.
        for method in ["POST", "PRI"] {
            let head = format!("{method} /x HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
            let whole = [head.as_bytes(), &body].concat();
            for size in [10_000, 24, 9] {
                let got = received(&gateway, &listener, &whole.chunks(size).collect::<Vec<_>>());
                assert!(got.starts_with(&format!("{method} /x HTTP/1.1\r\n")), "{got}");
                assert!(got.ends_with(&*String::from_utf8_lossy(&body)), "{got}");
            }
        }
    }
}

#[test]
fn a_malformed_request_gets_the_gateways_own_error_however_it_is_split() {
    let upstream = Scripted::start(vec![Script::cut("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 1000)]);
    let gateway = Setup::with(&upstream.config("retries: 0"))
        .env("KONG_NGINX_HTTP_LARGE_CLIENT_HEADER_BUFFERS", "4 1k")
        .run();
    let good = "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n";
    for (bad, status) in [
        ("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400 Bad Request"),
        ("GET /a-long-path-before-the-version HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported"),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported"),
    ] {
        for before in [0, 1, 3] {
            for size in [1, 5, 24, 10_000] {
                let mut raw = Raw::connect(gateway.address("proxy"));
                let text = format!("{}{bad}", good.repeat(before));
                for piece in text.as_bytes().chunks(size) {
                    raw.send(std::str::from_utf8(piece).unwrap());
                }
                let answer = raw.read_to_end();
                assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), before, "{size}: {answer}");
                let (_, refusal) = answer
                    .split_once(&format!("HTTP/1.1 {status}\r\n"))
                    .unwrap_or_else(|| panic!("{bad:?} after {before} in pieces of {size}: {answer}"));
                assert!(
                    refusal.contains("\r\nx-kong-request-id: ") || status.starts_with("505"),
                    "{refusal}"
                );
                assert!(
                    refusal.contains("\r\ndate: ") && refusal.contains("\r\nconnection: close\r\n"),
                    "{refusal}"
                );
            }
        }
    }
}
