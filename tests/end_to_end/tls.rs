//! TLS listeners: certificates, protocols, versions, and the requests that arrive over them.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
};

use crate::{
    gateway::{Gateway, Setup},
    pem::Signed,
    raw::Raw,
    secure::{Hello, Secure},
    upstream::Upstream,
};

const MOCKED: &str = "_format_version: \"3.0\"
routes:
- {name: open, paths: [/open], plugins: [{name: request-termination, config: {status_code: 200, message: open}}]}
- {name: safe, paths: [/safe], protocols: [https], plugins: [{name: request-termination, config: {status_code: 200, message: safe}}]}
- {name: moved, paths: [/moved], protocols: [https], https_redirect_status_code: 301}
";

const NAMED: &str = "_format_version: \"3.0\"
routes:
- {name: named, protocols: [https], snis: [shop.example], plugins: [{name: request-termination, config: {message: shop}}]}
";

/// Listens in plain text and over TLS.
fn run(setup: Setup) -> Gateway {
    let listen = "127.0.0.1:0, 127.0.0.1:0 http2 ssl";
    setup.start(&["run", "--proxy-listen", listen, "--admin-listen", "127.0.0.1:0 ssl"])
}

fn connect(gateway: &Gateway, hello: Hello) -> Secure {
    Secure::connect(gateway.tls_address("proxy"), hello).unwrap()
}

#[test]
fn a_gateway_without_a_certificate_generates_one() {
    let gateway = run(Setup::with(MOCKED));
    for old in [false, true] {
        let answer = connect(&gateway, Hello { old, ..Hello::default() }).get("a.example", "/open");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("open"), "{answer}");
    }
    let admin = Secure::connect(gateway.tls_address("admin"), Hello::default()).unwrap();
    assert!(admin.get("localhost", "/status").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn settings_name_certificates() {
    let (own, admin) = (Signed::self_signed("own.example"), Signed::self_signed("admin.example"));
    let setup = Setup::with(MOCKED)
        .file("own.pem", &own.certificate)
        .file("own.key", &own.key)
        .env("KONG_SSL_CERT", "own.pem")
        .env("KONG_SSL_CERT_KEY", "own.key")
        .env("KONG_ADMIN_SSL_CERT", &admin.certificate)
        .env("KONG_ADMIN_SSL_CERT_KEY", &admin.key);
    let gateway = run(setup);
    assert_eq!(connect(&gateway, Hello::default()).certificate(), own.der);
    let shown = Secure::connect(gateway.tls_address("admin"), Hello::default()).unwrap().certificate();
    assert_eq!(shown, admin.der);
}

#[test]
fn unusable_certificates_prevent_the_start() {
    let (one, other) = (Signed::self_signed("one.example"), Signed::self_signed("other.example"));
    for (certificate, key, expected) in [
        (
            "one.pem",
            "other.key",
            "cannot set up TLS on 127.0.0.1:0 (proxy_listen): certificate does not match key",
        ),
        ("none.pem", "one.key", "(proxy_listen): cannot read none.pem: No such file"),
        (
            "one.key",
            "one.key",
            "(proxy_listen): invalid certificate: there is no `-----BEGIN CERTIFICATE-----`",
        ),
        ("one.pem", "", "ssl_cert_key must be specified"),
    ] {
        let setup = Setup::with(MOCKED)
            .file("one.pem", &one.certificate)
            .file("one.key", &one.key)
            .file("other.key", &other.key)
            .env("KONG_SSL_CERT", certificate)
            .env("KONG_SSL_CERT_KEY", key);
        let flags = ["run", "--proxy-listen", "127.0.0.1:0 ssl", "--admin-listen", "off"];
        setup.call(&flags).is_refusal(expected);
    }
}

#[test]
fn the_protocol_is_negotiated_in_the_handshake() {
    let gateway = run(Setup::with(MOCKED));
    let agreed = |address: &str, protocols| {
        let session = Secure::connect(address, Hello { protocols, ..Hello::default() })?;
        Ok::<_, std::io::Error>(session.protocol().map(str::to_owned))
    };
    let (proxy, admin) = (gateway.tls_address("proxy"), gateway.tls_address("admin"));
    assert_eq!(agreed(proxy, &["http/1.1", "h2"]).unwrap().as_deref(), Some("h2"));
    assert_eq!(agreed(proxy, &["http/1.1"]).unwrap().as_deref(), Some("http/1.1"));
    assert_eq!(agreed(proxy, &[]).unwrap(), None);
    assert_eq!(agreed(admin, &["h2", "http/1.1"]).unwrap().as_deref(), Some("http/1.1"), "not `http2`");
    assert!(agreed(proxy, &["spdy/3"]).is_err(), "no protocol in common");
}

#[test]
fn versions_and_ciphers_can_be_chosen() {
    let gateway = run(Setup::with(MOCKED).env("KONG_SSL_PROTOCOLS", "TLSv1.3"));
    assert!(Secure::connect(gateway.tls_address("proxy"), Hello { old: true, ..Hello::default() }).is_err());
    connect(&gateway, Hello::default());
    let setup =
        Setup::with(MOCKED).env("KONG_SSL_CIPHER_SUITE", "custom").env("KONG_SSL_CIPHERS", "NULL-MD5");
    let flags = ["run", "--proxy-listen", "127.0.0.1:0 ssl", "--admin-listen", "off"];
    setup.call(&flags).is_refusal("ssl_ciphers names no supported cipher");
}

#[test]
fn routes_match_the_scheme_of_the_request() {
    let gateway = run(Setup::with(MOCKED));
    assert_eq!(gateway.get("/safe").status, 426);
    let moved = gateway.get("/moved?a=1");
    assert_eq!((moved.status, moved.header("location")), (301, "https://127.0.0.1/moved?a=1"));
    assert!(connect(&gateway, Hello::default()).get("a.example", "/safe").contains("safe"));
}

#[test]
fn routes_match_the_server_name() {
    let gateway = run(Setup::with(NAMED));
    let ask =
        |server_name| connect(&gateway, Hello { server_name, ..Hello::default() }).get("a.example", "/");
    for name in [None, Some("other.example")] {
        assert!(ask(name).starts_with("HTTP/1.1 404"));
    }
    // Names are compared without regard to case. (RFC 6066, section 3)
    for name in ["shop.example", "SHOP.example"] {
        assert!(ask(Some(name)).contains("shop"));
    }
}

#[test]
fn upstreams_receive_the_scheme_of_the_request() {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/]}}]}}\n",
        upstream.address
    );
    let gateway = run(Setup::with(&config).env("KONG_PORT_MAPS", "443:1"));
    let answer = connect(&gateway, Hello::default()).get("a.example", "/x");
    let port = gateway.tls_address("proxy").rsplit_once(':').unwrap().1;
    for field in ["\"x-forwarded-proto\":\"https\"".to_owned(), format!("\"x-forwarded-port\":\"{port}\"")] {
        assert!(answer.contains(&field), "{field} is not in {answer}");
    }
}

#[test]
fn plain_http_on_a_tls_port_is_rejected_without_delay_for_others() {
    let gateway = run(Setup::with(MOCKED));
    let address = gateway.tls_address("proxy");
    let mut plain = Raw::connect(address);
    plain.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let answer = plain.read_to_end();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("The plain HTTP request was sent to HTTPS port"), "{answer}");
    // One client sends nothing, the other begins a handshake and stops.
    let silent = Raw::connect(address);
    let mut half = std::net::TcpStream::connect(address).unwrap();
    half.write_all(&[22, 3, 1, 2, 0, 1, 0]).unwrap();
    assert!(connect(&gateway, Hello::default()).get("a.example", "/open").contains("open"));
    drop((silent, half));
}

#[test]
fn requests_over_tls_finish_at_shutdown() {
    let upstream = Upstream::start();
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://{}', routes: [{{name: r, paths: [/]}}]}}\n",
        upstream.address
    );
    let gateway = run(Setup::with(&config));
    let mut session = connect(&gateway, Hello::default());
    session.send("GET /hold HTTP/1.1\r\nHost: a.example\r\n\r\n");
    upstream.wait_until("the request arrives", |seen| seen.requests == 1);
    gateway.signal("TERM");
    gateway.wait_for_log("no new connections");
    upstream.release();
    session.read_until("\"target\":\"/hold\"");
    assert_eq!(gateway.outcome().code, Some(0));
}

/// Starts a service that switches protocols, and echoes every line.
pub(crate) fn start_echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(switch.as_bytes()).unwrap();
        for line in reader.lines() {
            stream.write_all(format!("again {}\n", line.unwrap()).as_bytes()).unwrap();
        }
    });
    port
}

#[test]
fn a_websocket_passes_over_tls() {
    let config = format!(
        "_format_version: \"3.0\"\nservices:\n- {{name: s, url: 'http://127.0.0.1:{}', routes: [{{name: r, paths: [/]}}]}}\n",
        start_echo()
    );
    let gateway = run(Setup::with(&config));
    let mut session = connect(&gateway, Hello::default());
    session
        .send("GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert!(session.read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
    for word in ["one", "two"] {
        session.send(&format!("{word}\n"));
        session.read_until(&format!("again {word}\n"));
    }
}
