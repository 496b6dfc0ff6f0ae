//! TLS of a listener: its certificates, protocols and ciphers, and the handshake.

use std::{io, sync::Arc, time::Duration};

use rustls::{
    CipherSuite, ProtocolVersion, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::{
    proxy::ClientTls,
    settings::{self, CertificateFiles, CipherSuite as Suite, ClientCertificates, VerifyClient},
    snapshot::LiveSnapshot,
    tls::{self, CertifiedIdentity, select_certificate},
};

/// Time limit for a handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The first byte of a handshake record. (RFC 8446, section 5.1)
const HANDSHAKE_RECORD: u8 = 22;

/// Response to a client that speaks plain HTTP to a TLS listener. (As nginx's.)
const PLAIN_HTTP_RESPONSE: &str = concat!(
    "HTTP/1.1 400 Bad Request\r\nServer: mynah/",
    env!("CARGO_PKG_VERSION"),
    "\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 186\r\nConnection: close\r\n\r\n",
    "<html>\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\n",
    "<body>\n<h1>400 Bad Request</h1>\n<p>The plain HTTP request was sent to HTTPS port</p>\n</body>\n</html>\n"
);

/// TLS acceptor of a listener. Clones share it.
#[derive(Clone)]
pub struct ListenerTlsAcceptor(TlsAcceptor);

/// Resolver of certificates: those of the current configuration by server name, else those of the listener.
#[derive(Debug)]
struct CertResolver {
    /// Source of certificates by server name; `None` if all clients get the same.
    live: Option<Arc<LiveSnapshot>>,
    /// Certificates for all other clients.
    defaults: Vec<CertifiedIdentity>,
}

impl ListenerTlsAcceptor {
    /// An acceptor with these settings. It uses the certificates of `files`, or a generated one if there are none, and with
    /// `live` those of the current Snapshot for the client's server name. `clients` configures client certificates. With
    /// `http2`, clients may negotiate HTTP/2. (RFC 7301)
    ///
    /// # Errors
    /// A certificate cannot be read, or no cipher remains.
    pub fn new(
        settings: &settings::ListenerTls,
        files: &CertificateFiles,
        clients: &ClientCertificates,
        live: Option<Arc<LiveSnapshot>>,
        http2: bool,
    ) -> Result<Self, String> {
        let defaults = if files.certificates.is_empty() {
            vec![tls::self_signed().map_err(|error| error.to_string())?]
        } else {
            tls::identities(&files.certificates, &files.keys)?
        };
        let versions = versions(settings);
        let builder = ServerConfig::builder_with_provider(Arc::new(provider(settings)?))
            .with_protocol_versions(&versions)
            .map_err(|_| "no cipher is left for ssl_protocols with ssl_cipher_suite".to_owned())?;
        let builder = match clients.verify {
            VerifyClient::Off => builder.with_no_client_auth(),
            verify => builder.with_client_cert_verifier(tls::client_verifier(
                &clients.authorities,
                &clients.revocation_lists,
                clients.depth,
                verify == VerifyClient::Required,
            )?),
        };
        let mut config = builder.with_cert_resolver(Arc::new(CertResolver { live, defaults }));
        config.ignore_client_order = settings.prefer_server_ciphers;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if http2 {
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        if settings.session_tickets {
            config.ticketer = ring::Ticketer::new().map_err(|error| error.to_string())?;
        }
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Performs the handshake on the stream that `wrap` returns for the connection; `None` if it fails, which is only
    /// logged for debugging.
    pub(super) async fn accept<S>(
        &self,
        stream: TcpStream,
        wrap: impl FnOnce(TcpStream) -> S,
    ) -> Option<(Box<TlsStream<S>>, ClientTls)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let peer = stream.peer_addr();
        let handshake = async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE_RECORD {
                refuse_plain_http(stream).await?;
                return Ok(None);
            }
            self.0.accept(wrap(stream)).await.map(Some)
        };
        // Boxed, so that connections without TLS do not keep space for it.
        match Box::pin(timeout(HANDSHAKE_TIMEOUT, handshake)).await {
            Ok(Ok(Some(stream))) => {
                let session = client_tls(&stream);
                return Some((Box::new(stream), session));
            }
            Ok(Ok(None)) => tracing::debug!("{peer:?} spoke plain text to a TLS listener"),
            Ok(Err(error)) => tracing::debug!("TLS handshake with {peer:?} failed: {error}"),
            Err(_) => tracing::debug!("TLS handshake with {peer:?} took too long"),
        }
        None
    }
}

impl std::fmt::Debug for ListenerTlsAcceptor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("ListenerTlsAcceptor")
    }
}

impl ResolvesServerCert for CertResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let by_name = self.live.as_ref().and_then(|live| {
            let snapshot = live.current();
            select_certificate(snapshot.certificates().find(hello.server_name())?, schemes)
        });
        by_name.or_else(|| select_certificate(&self.defaults, schemes))
    }
}

/// Answers a plain HTTP client with an error in plain HTTP.
async fn refuse_plain_http(mut stream: TcpStream) -> io::Result<()> {
    // Closing a connection with unread bytes resets it, and the client might lose the response.
    let _ = stream.read(&mut [0; 8192]).await?;
    stream.write_all(PLAIN_HTTP_RESPONSE.as_bytes()).await?;
    stream.shutdown().await
}

/// The negotiated TLS session.
fn client_tls<S>(stream: &TlsStream<S>) -> ClientTls {
    let session = stream.get_ref().1;
    ClientTls {
        server_name: session.server_name().map(Arc::from),
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        cipher: session.negotiated_cipher_suite().map_or("", |cipher| openssl_name(cipher.suite())),
    }
}

fn versions(settings: &settings::ListenerTls) -> Vec<&'static SupportedProtocolVersion> {
    let is_modern = settings.cipher_suite == Suite::Modern;
    let all = [(settings.protocols.tls13, &TLS13), (settings.protocols.tls12 && !is_modern, &TLS12)];
    all.into_iter().filter_map(|(is_enabled, version)| is_enabled.then_some(version)).collect()
}

fn provider(settings: &settings::ListenerTls) -> Result<CryptoProvider, String> {
    let mut provider = (*tls::provider()).clone();
    let chosen = &settings.ciphers.0;
    if settings.cipher_suite == Suite::Custom && !chosen.is_empty() {
        let rank = |suite| chosen.iter().position(|name| name == openssl_name(suite));
        // In OpenSSL, this list does not affect the ciphers of TLS 1.3.
        let is_tls13 = |suite: CipherSuite| openssl_name(suite).starts_with("TLS_");
        provider.cipher_suites.retain(|cipher| is_tls13(cipher.suite()) || rank(cipher.suite()).is_some());
        provider.cipher_suites.sort_by_key(|cipher| rank(cipher.suite()));
        if settings.protocols.tls12 && provider.cipher_suites.iter().all(|cipher| is_tls13(cipher.suite())) {
            return Err(format!(
                "ssl_ciphers names no supported cipher; supported are {}",
                supported_ciphers()
            ));
        }
    }
    Ok(provider)
}

/// OpenSSL's names of the supported ciphers of TLS 1.2, as a list.
fn supported_ciphers() -> String {
    CIPHERS
        .iter()
        .map(|(_, name)| *name)
        .filter(|name| !name.starts_with("TLS_"))
        .collect::<Vec<_>>()
        .join(":")
}

/// Supported ciphers, and OpenSSL's names of them.
const CIPHERS: [(CipherSuite, &str); 9] = [
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
    (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256"),
    (CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305"),
];

fn openssl_name(suite: CipherSuite) -> &'static str {
    CIPHERS.iter().find(|(known, _)| *known == suite).map_or("", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cipher_has_a_name() {
        for suite in &tls::provider().cipher_suites {
            assert_ne!(openssl_name(suite.suite()), "", "{suite:?}");
        }
    }

    #[test]
    fn the_response_to_plain_http_has_the_right_length() {
        let (head, body) = PLAIN_HTTP_RESPONSE.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }

    /// Checks which ciphers remain.
    #[track_caller]
    fn check(suite: Suite, ciphers: &str, expected: Result<&[&str], &str>) {
        let ciphers = settings::CipherNames(ciphers.split(':').map(str::to_owned).collect());
        let settings =
            settings::ListenerTls { cipher_suite: suite, ciphers, ..settings::ListenerTls::default() };
        let names = provider(&settings).map(|provider| {
            provider.cipher_suites.iter().map(|cipher| openssl_name(cipher.suite())).collect::<Vec<_>>()
        });
        assert_eq!(names.as_deref().map_err(|error| error.split(';').next().unwrap()), expected);
    }

    #[test]
    fn ciphers_may_be_chosen() {
        let all: Vec<&str> = CIPHERS.iter().map(|(_, name)| *name).collect();
        check(Suite::Intermediate, "", Ok(&all));
        let named = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:DES-CBC3-SHA";
        let expected =
            [&all[..3], &["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]].concat();
        check(Suite::Custom, named, Ok(&expected));
        check(Suite::Custom, "DES-CBC3-SHA", Err("ssl_ciphers names no supported cipher"));
    }
}
