//! Client connections: idle timeout, maximum number, and slow clients.

use crate::{
    gateway::{Gateway, Setup},
    raw::Raw,
};

const CONFIG: &str = "\
_format_version: \"3.0\"
routes:
- {name: r, paths: [/], plugins: [{name: request-termination, config: {status_code: 200, message: here}}]}
";

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn start(name: &str, value: &str) -> Gateway {
    Setup::with(CONFIG).env(name, value).run()
}

fn asked(gateway: &Gateway) -> Raw {
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(REQUEST);
    raw.read_until("here");
    raw
}

#[test]
fn an_idle_client_connection_is_closed() {
    let gateway = start("KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT", "500ms");
    assert!(asked(&gateway).read_to_end().ends_with("{\"message\":\"here\"}"));
    let gateway = start("KONG_NGINX_HTTP_KEEPALIVE_TIMEOUT", "0");
    let answer = asked(&gateway).read_to_end();
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}

#[test]
fn a_client_that_does_not_finish_its_request_is_cut_off() {
    let gateway = start("KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT", "500ms");
    assert_eq!(Raw::connect(gateway.address("proxy")).read_to_end(), "");
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("GET / HTTP/1.1\r\n");
    assert_eq!(raw.read_to_end(), "");
    let mut raw = asked(&gateway);
    raw.send("GET / HTTP/1.1\r\n");
    assert!(raw.read_to_end().ends_with("{\"message\":\"here\"}"));
}

#[test]
fn a_connection_serves_at_most_the_configured_number_of_requests() {
    let gateway = start("KONG_NGINX_HTTP_KEEPALIVE_REQUESTS", "2");
    let mut raw = asked(&gateway);
    assert!(!raw.received.contains("connection: close"), "{}", raw.received);
    raw.send(REQUEST);
    let answers = raw.read_to_end();
    assert!(answers.contains("connection: close\r\n"), "{answers}");
    assert_eq!(answers.matches("here").count(), 2);
}

#[test]
fn idle_connections_are_closed_for_new_ones() {
    let gateway = start("KONG_NGINX_EVENTS_WORKER_CONNECTIONS", "2");
    let kept: Vec<Raw> = (0..2).map(|_| asked(&gateway)).collect();
    let _third = asked(&gateway);
    for raw in kept {
        raw.read_to_end();
    }
}

/// Answers HEAD without a length and closes the connection a moment later, even if a request arrives; answers all other
/// requests.
fn start_closing_upstream() -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                loop {
                    let (mut head, mut byte) = (Vec::new(), [0]);
                    while !head.ends_with(b"\r\n\r\n") {
                        if !matches!(stream.read(&mut byte), Ok(1)) {
                            return;
                        }
                        head.push(byte[0]);
                    }
                    if head.starts_with(b"HEAD ") {
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
                        crate::pause(3);
                        return;
                    }
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
                }
            });
        }
    });
    port
}

#[test]
fn unrepeatable_requests_are_not_sent_on_connections_that_may_be_closing() {
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: a, url: 'http://127.0.0.1:{}', routes: [{{name: a, paths: \
         [/]}}]}}\n",
        start_closing_upstream()
    );
    let gateway = Setup::with(&config).run();
    for round in 0..200 {
        assert_eq!(gateway.ask("HEAD", "/", &[]).status, 200);
        // Some requests coincide with the close.
        crate::pause(round % 5);
        let answer = gateway.post("/", &[], b"");
        assert_eq!(answer.status, 200, "round {round}: {}", gateway.log());
    }
}
