//! WebSocket through the gateway: both directions, with and without TLS at both ends, and the end of tunnels.

use std::time::Instant;

use crate::{
    PATIENCE,
    gateway::{Gateway, Setup},
    web_socket_peer::{BEGINS, BINARY, CLOSE, ENDS, Echo, GOES_ON, PING, TEXT, WebSocket},
};

/// An echo service, and a gateway whose Service has this protocol.
fn start(protocol: &str, more: &str) -> (Echo, Gateway) {
    let echo = Echo::start(matches!(protocol, "https" | "wss"));
    let setup = Setup::with(&config(&echo, protocol, more)).env("KONG_GRACEFUL_TIMEOUT", "1");
    (echo, run(setup))
}

fn config(echo: &Echo, protocol: &str, more: &str) -> String {
    format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: '{protocol}://localhost:{}', {more} \
         routes: [{{name: r, paths: [/]}}, {{name: k, paths: [/key], plugins: [{{name: key-auth}}]}}]}}\n",
        echo.port
    )
}

fn run(setup: Setup) -> Gateway {
    setup.start(&["run", "--proxy-listen", "127.0.0.1:0, 127.0.0.1:0 http2 ssl", "--admin-listen", "off"])
}

fn open(gateway: &Gateway, tls: bool) -> WebSocket {
    let address = if tls { gateway.tls_address("proxy") } else { gateway.address("proxy") };
    WebSocket::open(address, tls, "/chat", "").unwrap().0
}

#[test]
fn messages_pass_unchanged_in_both_directions() {
    for (protocol, tls) in [("http", false), ("http", true), ("https", false), ("wss", true), ("ws", false)] {
        let (echo, gateway) = start(protocol, "");
        let mut client = open(&gateway, tls);
        for size in [0, 1, 125, 126, 65_535, 65_536, 3_000_000] {
            let content: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
            client.assert_echo(BINARY, &content);
        }
        client.assert_echo(TEXT, "grüß dich".as_bytes());
        client.assert_echo(PING, b"there?");
        client.assert_echo(BEGINS, b"a message ");
        client.assert_echo(GOES_ON, b"in three ");
        client.assert_echo(ENDS, b"frames");
        client.send(CLOSE, &1000_u16.to_be_bytes());
        assert_eq!(client.next(), Some((CLOSE, 1000_u16.to_be_bytes().to_vec())));
        drop(client);
        echo.wait_until("closed with 1000");
        echo.wait_until("end");
    }
}

#[test]
fn client_and_service_negotiate_protocol_and_extensions() {
    let (echo, gateway) = start("http", "");
    let offers = "Sec-WebSocket-Protocol: chat, other\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
    let (mut client, head) =
        WebSocket::open(gateway.address("proxy"), false, "/chat?room=1", offers).unwrap();
    let head = head.to_ascii_lowercase();
    assert!(
        head.contains("sec-websocket-protocol: chat\r\n") && head.contains("upgrade: websocket\r\n"),
        "{head}"
    );
    assert!(head.contains("x-kong-request-id: "), "{head}");
    let got = echo.wait_until("GET /chat?room=1 HTTP/1.1").to_ascii_lowercase();
    assert!(got.contains("sec-websocket-protocol: chat, other\r\n"), "{got}");
    assert!(got.contains("sec-websocket-extensions: permessage-deflate\r\n"), "{got}");
    assert!(
        got.contains("connection: keep-alive, upgrade\r\n") && got.contains("x-forwarded-for: 127.0.0.1\r\n")
    );
    client.assert_echo(TEXT, b"after all that");
}

#[test]
fn a_rejected_handshake_gets_a_regular_response() {
    let (echo, gateway) = start("http", "");
    let ask = |path| WebSocket::open(gateway.address("proxy"), false, path, "").err().unwrap();
    let head = ask("/refused");
    assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{head}");
    echo.wait_until("GET /refused");
    let head = ask("/key");
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
}

#[test]
fn when_one_end_disconnects_the_other_is_disconnected() {
    for (protocol, tls) in [("http", false), ("https", true)] {
        let (echo, gateway) = start(protocol, "");
        let mut client = open(&gateway, tls);
        client.assert_echo(TEXT, b"here");
        drop(client);
        echo.wait_until("end");
        let mut client = open(&gateway, tls);
        client.send(TEXT, b"drop");
        assert_eq!(client.next(), None);
        let mut client = open(&gateway, tls);
        client.send(TEXT, b"bye");
        assert_eq!(client.next(), Some((CLOSE, 1000_u16.to_be_bytes().to_vec())));
    }
}

#[test]
fn a_silent_tunnel_ends_after_the_read_timeout() {
    let (echo, gateway) = start("http", "read_timeout: 600,");
    let mut client = open(&gateway, false);
    let began = Instant::now();
    while began.elapsed().as_millis() < 1500 {
        client.assert_echo(PING, b"still here");
        crate::pause(100);
    }
    assert_eq!(client.next(), None);
    assert!(began.elapsed() < PATIENCE);
    echo.wait_until("end");
}

#[test]
fn a_reload_does_not_end_a_tunnel() {
    let (echo, gateway) = start("http", "");
    let mut client = open(&gateway, false);
    gateway.folder.write("kong.yaml", "_format_version: \"3.0\"\n");
    let failed_handshake = || WebSocket::open(gateway.address("proxy"), false, "/chat", "").err();
    crate::eventually("the route is gone", || {
        failed_handshake().filter(|head| head.starts_with("HTTP/1.1 404 "))
    });
    client.assert_echo(TEXT, b"still here");
    echo.wait_until("GET /chat");
}

#[test]
fn at_the_end_of_the_grace_period_both_ends_receive_going_away() {
    for (protocol, tls) in [("http", false), ("https", true)] {
        let (echo, gateway) = start(protocol, "");
        let mut client = open(&gateway, tls);
        client.assert_echo(TEXT, b"before");
        gateway.signal("TERM");
        gateway.wait_for_log("SIGTERM: no new connections");
        client.assert_echo(TEXT, b"within the grace");
        assert_eq!(client.next(), Some((CLOSE, 1001_u16.to_be_bytes().to_vec())));
        assert_eq!(client.next(), None);
        echo.wait_until("closed with 1001");
        let outcome = gateway.outcome();
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
}

#[test]
fn the_process_ends_with_its_last_tunnel() {
    let echo = Echo::start(false);
    let gateway = run(Setup::with(&config(&echo, "http", "")).env("KONG_GRACEFUL_TIMEOUT", "600"));
    let mut client = open(&gateway, false);
    gateway.signal("TERM");
    gateway.wait_for_log("SIGTERM: no new connections");
    client.assert_echo(TEXT, b"within the grace");
    drop(client);
    let outcome = gateway.outcome();
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}
