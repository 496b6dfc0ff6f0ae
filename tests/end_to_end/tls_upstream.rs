//! TLS to upstreams: verification of their certificates, and client certificates.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};

use crate::{
    gateway::{Gateway, Setup},
    pem::{Authority, Signed, block},
};

/// Starts a service at localhost with a certificate, which requests a client certificate that `clients` has signed. It
/// answers with the number of the connection, the server name, and the size of the client certificate in bytes.
fn start(signed: &Signed, chain: &[Vec<u8>], clients: &Authority) -> u16 {
    start_with(signed, chain, clients, false)
}

/// The same; a `strict` service refuses clients without a certificate.
fn start_with(signed: &Signed, chain: &[Vec<u8>], clients: &Authority, strict: bool) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(clients.der())).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = if strict { verifier } else { verifier.allow_unauthenticated() };
    let shown = std::iter::once(&signed.der).chain(chain).map(|der| CertificateDer::from(der.clone()));
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.key_der.clone()));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(shown.collect(), key)
        .unwrap();
    let (config, count) = (Arc::new(config), AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(config.clone()).unwrap();
            let number = count.fetch_add(1, Ordering::Relaxed);
            // A gateway that rejects the certificate closes the connection, which is not a failure of the service.
            std::thread::spawn(move || drop(serve(StreamOwned::new(session, stream), number)));
        }
    });
    port
}

fn serve(stream: StreamOwned<ServerConnection, std::net::TcpStream>, number: usize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        let session = &reader.get_ref().conn;
        let client = session.peer_certificates().map_or(0, |certificates| certificates[0].len());
        let text = format!("{number} {} {client}", session.server_name().unwrap_or("none"));
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        reader.get_mut().write_all(answer.as_bytes())?;
    }
}

/// A configuration with an authority, and a Service for each line of fields, with the upstream at `port`.
fn config(authority: &Authority, client: &Signed, port: u16, services: &[&str]) -> String {
    let one = |(n, fields): (usize, &&str)| {
        format!(
            "- {{name: s{n}, url: 'https://localhost:{port}', retries: 0, {fields}, routes: [{{name: r{n}, paths: [/s{n}]}}]}}\n"
        )
    };
    let services: String = services.iter().enumerate().map(one).collect();
    format!(
        "_format_version: \"3.0\"\nca_certificates:\n- id: 11111111-1111-4111-8111-111111111111\n  cert: {}\n\
         certificates:\n- id: 22222222-2222-4222-8222-222222222222\n  cert: {}\n  key: {}\nservices:\n{services}",
        block(&authority.certificate(), 4),
        block(&client.certificate, 4),
        block(&client.key, 4),
    )
}

const OURS: &str = "ca_certificates: [11111111-1111-4111-8111-111111111111]";
const SHOWN: &str = "client_certificate: 22222222-2222-4222-8222-222222222222";

#[track_caller]
fn fails(gateway: &Gateway, path: &str, reason: &str) {
    gateway.get(path).assert_message(502, "An invalid response was received from the upstream server");
    gateway.wait_for_log(reason);
}

#[test]
fn certificates_are_trusted_by_their_issuer() {
    let authority = Authority::new("ours");
    let port = start(&authority.issue("localhost"), &[], &authority);
    let verified = format!("tls_verify: true, {OURS}");
    let text = config(&authority, &authority.issue("c"), port, &["tags: []", "tls_verify: true", &verified]);
    let gateway = Setup::with(&text).run();
    assert_eq!(gateway.get("/s0").text(), "0 localhost 0");
    fails(&gateway, "/s1", "no trusted authority vouches for the certificate of the upstream");
    assert!(gateway.get("/s2").text().ends_with(" localhost 0"));
}

#[test]
fn settings_configure_trust_and_the_client_certificate() {
    let authority = Authority::new("ours");
    let port = start(&authority.issue("localhost"), &[], &authority);
    let (own, usual) = (authority.issue("client.example"), authority.issue("the-gateway-itself.example"));
    let text = config(&authority, &own, port, &["tls_verify: true", SHOWN]);
    let gateway = Setup::with(&text)
        .file("ca.pem", authority.certificate())
        .env("KONG_LUA_SSL_TRUSTED_CERTIFICATE", "system, ca.pem")
        .env("KONG_CLIENT_SSL", "on")
        .env("KONG_CLIENT_SSL_CERT", &usual.certificate)
        .env("KONG_CLIENT_SSL_CERT_KEY", &usual.key)
        .run();
    assert_eq!(gateway.get("/s0").text(), format!("0 localhost {}", usual.der.len()));
    assert_eq!(gateway.get("/s1").text(), format!("1 localhost {}", own.der.len()));
}

/// The fields of a Service take precedence over those of its Upstream, and those over the settings.
#[test]
fn an_upstream_configures_the_client_certificate_for_its_targets() {
    let authority = Authority::new("ours");
    let [of_service, of_upstream, usual] =
        ["of.service", "of.the.upstream", "of.the.gateway.itself"].map(|name| authority.issue(name));
    let port = start_with(&authority.issue("localhost"), &[], &authority, true);
    let service = |name: &str, host: &str, fields: &str| {
        format!(
            "- {{name: {name}, protocol: https, host: {host}, port: 1, retries: 0, {fields} routes: [{{name: {name}, paths: [/{name}]}}]}}\n"
        )
    };
    let text = format!(
        "_format_version: \"3.0\"\ncertificates:\n- id: 22222222-2222-4222-8222-222222222222\n  cert: {}\n  key: {}\n\
         - id: 33333333-3333-4333-8333-333333333333\n  cert: {}\n  key: {}\n\
         ca_certificates:\n- id: 11111111-1111-4111-8111-111111111111\n  cert: {}\n\
         upstreams:\n- name: with\n  client_certificate: 33333333-3333-4333-8333-333333333333\n  \
         targets: [{{target: 'localhost:{port}'}}]\n- name: without\n  targets: [{{target: 'localhost:{port}'}}]\n\
         services:\n{}{}{}{}",
        block(&of_service.certificate, 4),
        block(&of_service.key, 4),
        block(&of_upstream.certificate, 4),
        block(&of_upstream.key, 4),
        block(&authority.certificate(), 4),
        service("both", "with", &format!("{SHOWN},")),
        service("upstream", "with", ""),
        service("verified", "with", &format!("tls_verify: true, {OURS},")),
        service("neither", "without", ""),
    );
    let gateway = Setup::with(&text).run();
    for (path, shown) in [("/both", &of_service), ("/upstream", &of_upstream), ("/verified", &of_upstream)] {
        let seen = gateway.get(path).text().to_owned();
        assert!(seen.ends_with(&format!(" localhost {}", shown.der.len())), "{path}: {seen}");
    }
    assert_eq!(gateway.get("/neither").status, 502);
    let gateway = Setup::with(&text)
        .env("KONG_CLIENT_SSL", "on")
        .env("KONG_CLIENT_SSL_CERT", &usual.certificate)
        .env("KONG_CLIENT_SSL_CERT_KEY", &usual.key)
        .run();
    for (path, shown) in [("/both", &of_service), ("/upstream", &of_upstream), ("/neither", &usual)] {
        let seen = gateway.get(path).text().to_owned();
        assert!(seen.ends_with(&format!(" localhost {}", shown.der.len())), "{path}: {seen}");
    }
}

/// The name that is verified is the target's, and with a `host_header` or `preserve_host` that of the Host.
#[test]
fn a_target_must_have_a_certificate_for_its_host() {
    let authority = Authority::new("ours");
    let port = start(&authority.issue("shop.example"), &[], &authority);
    let text = |upstream: &str| {
        format!(
            "_format_version: \"3.0\"\nca_certificates:\n- id: 11111111-1111-4111-8111-111111111111\n  cert: {}\n\
             upstreams:\n- {{name: u, {upstream} targets: [{{target: 'localhost:{port}'}}]}}\n\
             services:\n- {{name: s, protocol: https, host: u, retries: 0, tls_verify: true, {OURS}, \
             routes: [{{name: r, paths: [/r]}}, {{name: p, paths: [/p], preserve_host: true}}]}}\n",
            block(&authority.certificate(), 4)
        )
    };
    let gateway = Setup::with(&text("host_header: shop.example,")).run();
    assert_eq!(gateway.get("/r").text(), "0 shop.example 0");
    fails(&gateway, "/p", "is not for 127.0.0.1 but for shop.example");
    let gateway = Setup::with(&text("")).run();
    fails(&gateway, "/r", "is not for localhost but for shop.example");
    let kept = gateway.ask("GET", "/p", &[("host", "shop.example")]);
    assert!(kept.text().ends_with(" shop.example 0"), "{kept:?}");
}

#[test]
fn connections_are_shared_only_by_equal_settings() {
    let authority = Authority::new("ours");
    let port = start(&authority.issue("localhost"), &[], &authority);
    let client = authority.issue("client.example");
    let both = format!("tls_verify: true, {OURS}, {SHOWN}");
    let text = config(&authority, &client, port, &["tags: []", SHOWN, "tags: [x]", &both, SHOWN]);
    let gateway = Setup::with(&text).run();
    let seen = |path: &str| gateway.get(path).text().to_owned();
    let shown = client.der.len();
    assert_eq!(seen("/s0"), "0 localhost 0");
    assert_eq!(seen("/s1"), format!("1 localhost {shown}"));
    assert_eq!(seen("/s3"), format!("2 localhost {shown}"));
    assert_eq!(seen("/s2"), "0 localhost 0", "as s0");
    assert_eq!(seen("/s4"), format!("1 localhost {shown}"), "as s1");
    gateway.folder.write("kong.yaml", format!("{text}\n"));
    gateway.wait_for_log("(generation 2)");
    assert_eq!(
        seen("/s1"),
        format!("1 localhost {shown}"),
        "a reload that changes nothing keeps connections"
    );
}

#[test]
fn errors_of_a_certificate_are_explained() {
    let authority = Authority::new("ours");
    let sub = authority.issue_authority("below ours");
    let verified = format!("tls_verify: true, {OURS}");
    for (signed, chain, fields, reason) in [
        (authority.issue("other.example"), vec![], &*verified, "is not for localhost but for other.example"),
        (
            authority.issue_expired("localhost"),
            vec![],
            &verified,
            "the certificate of the upstream has expired",
        ),
        (Signed::self_signed("localhost"), vec![], &verified, "no trusted authority vouches"),
        (sub.issue("localhost"), vec![], &verified, "no trusted authority vouches"),
        (
            sub.issue("localhost"),
            vec![sub.der()],
            &format!("{verified}, tls_verify_depth: 0"),
            "the chain of the upstream's certificate is longer than tls_verify_depth 0",
        ),
    ] {
        let port = start(&signed, &chain, &authority);
        let gateway = Setup::with(&config(&authority, &authority.issue("c"), port, &[fields])).run();
        fails(&gateway, "/s0", reason);
    }
    let port = start(&sub.issue("localhost"), &[sub.der()], &authority);
    let enough = format!("{verified}, tls_verify_depth: 1");
    let gateway = Setup::with(&config(&authority, &authority.issue("c"), port, &[&enough, &verified])).run();
    assert_eq!(["/s0", "/s1"].map(|path| gateway.get(path).status), [200, 200]);
}

#[test]
fn a_preserved_host_is_the_server_name() {
    let authority = Authority::new("ours");
    let port = start(&authority.issue("shop.example"), &[], &authority);
    let fields = format!("tls_verify: true, {OURS}");
    let text = config(&authority, &authority.issue("c"), port, &[&fields]);
    let gateway = Setup::with(&text.replace("paths: [/s0]", "paths: [/s0], preserve_host: true")).run();
    let answer = gateway.ask("GET", "/s0", &[("host", "shop.example:81")]);
    assert_eq!(answer.text(), "0 shop.example 0");
    fails(&gateway, "/s0", "is not for 127.0.0.1 but for shop.example");
}
