//! PROXY protocol: addresses from the header of a load balancer; connections without a header are closed.

use crate::{
    gateway::{Gateway, Setup},
    raw::Raw,
    secure::{Hello, Secure},
    upstream::Upstream,
};

const LINE: &str = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";

/// Version 2: 1.2.3.4 from port 80 to 5.6.7.8, port 81.
const BINARY: &str = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x50\0\x51";

fn start(trusted: &str) -> (Upstream, Gateway) {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/]}}]}}\n",
        upstream.address
    );
    let setup = Setup::with(&config).env("KONG_REAL_IP_HEADER", "proxy_protocol");
    let listen = "127.0.0.1:0 proxy_protocol, 127.0.0.1:0 ssl proxy_protocol";
    let gateway = setup.env("KONG_TRUSTED_IPS", trusted).start(&[
        "run",
        "--proxy-listen",
        listen,
        "--admin-listen",
        "127.0.0.1:0",
    ]);
    (upstream, gateway)
}

/// The client address that the service gets for a connection that begins with this header.
#[track_caller]
fn reported_address(gateway: &Gateway, header: &str) -> String {
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send(header);
    for path in ["/first", "/second"] {
        raw.send(&format!("GET {path} HTTP/1.1\r\nHost: a.example\r\nX-Real-IP: 203.0.113.9\r\n\r\n"));
        raw.read_until(&format!("\"target\":\"{path}\""));
    }
    let fields = raw.received.split("\"x-real-ip\":\"").nth(1).unwrap();
    fields.split('"').next().unwrap().to_owned()
}

#[test]
fn a_trusted_balancer_names_its_client() {
    let (_upstream, gateway) = start("127.0.0.1");
    assert_eq!(reported_address(&gateway, LINE), "192.0.2.7");
    assert_eq!(reported_address(&gateway, BINARY), "1.2.3.4");
    assert_eq!(reported_address(&gateway, "PROXY TCP6 2001:db8::1 ::1 1 2\r\n"), "2001:db8::1");
    assert_eq!(reported_address(&gateway, "PROXY UNKNOWN\r\n"), "127.0.0.1");
    crate::eventually("the access log names the client", || {
        gateway.stdout().contains("192.0.2.7").then_some(())
    });
}

#[test]
fn headers_of_untrusted_peers_are_ignored() {
    let (_upstream, gateway) = start("10.0.0.0/8");
    assert_eq!(reported_address(&gateway, LINE), "127.0.0.1");
}

#[test]
fn the_header_comes_before_tls() {
    let (_upstream, gateway) = start("127.0.0.1");
    let mut session = Secure::connect_after(gateway.tls_address("proxy"), LINE, Hello::default()).unwrap();
    session.send("GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let answer = session.read_until("\"target\":\"/x\"");
    assert!(answer.contains("\"x-real-ip\":\"192.0.2.7\""), "{answer}");
}

#[test]
fn a_connection_without_a_header_is_closed() {
    let (upstream, gateway) = start("127.0.0.1");
    for bytes in [
        "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01\x01GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    ] {
        let mut raw = Raw::connect(gateway.address("proxy"));
        raw.send(bytes);
        assert_eq!(raw.read_to_end(), "", "{bytes:?}");
    }
    gateway.wait_for_log("it does not begin with a header of the PROXY protocol");
    gateway.wait_for_log("its header of the PROXY protocol, version 1, is malformed");
    gateway.wait_for_log("its header of the PROXY protocol, version 2, is malformed");
    assert_eq!(upstream.seen().requests, 0);
    // A health check that connects and sends nothing is not logged.
    drop(Raw::connect(gateway.address("proxy")));
    assert_eq!(gateway.log().matches("PROXY protocol").count(), 3);
}

#[test]
fn an_incomplete_header_has_a_timeout() {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/]}}]}}\n",
        upstream.address
    );
    let setup = Setup::with(&config).env("KONG_NGINX_HTTP_CLIENT_HEADER_TIMEOUT", "500ms");
    let listen = "127.0.0.1:0 proxy_protocol";
    let gateway = setup.start(&["run", "--proxy-listen", listen, "--admin-listen", "127.0.0.1:0"]);
    let mut raw = Raw::connect(gateway.address("proxy"));
    raw.send("PROXY TCP4 192.0.2.7 ");
    assert_eq!(raw.read_to_end(), "");
}
