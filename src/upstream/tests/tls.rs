//! Tests of upstreams with TLS.

use std::sync::Arc;

use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Starts an upstream with a self-signed certificate; it answers every request with the server name of the handshake.
async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let own = rcgen::generate_simple_self_signed(["up.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let name = stream.get_ref().1.server_name().unwrap_or("none").to_owned();
                while read_request(&mut stream).await.is_some() {
                    let length = name.len();
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{name}");
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn any_certificate_is_accepted_unless_it_is_verified() {
    let address = start().await;
    let pool = ConnectionPool::default();
    let origin = |name, verify| {
        let tls = if verify { TlsSettings::verifying() } else { TlsSettings::trusting() };
        UpstreamOrigin::https("127.0.0.1", address.port(), name, tls)
    };
    for (name, expected) in [("up.example", "up.example"), ("127.0.0.1", "none"), ("not a name", "none")] {
        for attempts in [1, 0] {
            let answer = pool.send(&origin(name, false), &patient(), get()).await.unwrap();
            assert_eq!(answer.attempts, attempts);
            assert_eq!(text(answer).await.unwrap(), expected);
        }
    }
    let failure = pool.send(&origin("up.example", true), &patient(), get()).await.unwrap_err();
    assert!(matches!(failure.cause, FailureCause::Tls(_)), "{failure}");
    assert_eq!(failure.cause.status(), http::StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_handshake_with_an_upstream_without_tls_times_out() {
    let upstream = TestUpstream::start(&[&[UpstreamAction::Hang(OK)]]).await;
    let origin =
        UpstreamOrigin::https("127.0.0.1", upstream.address.port(), "up.example", TlsSettings::trusting());
    let limits = UpstreamTimeouts { connect: Duration::from_millis(50), ..patient() };
    let failure = ConnectionPool::default().send(&origin, &limits, get()).await.unwrap_err();
    assert!(matches!(failure.cause, FailureCause::ConnectTimeout), "{failure}");
}
