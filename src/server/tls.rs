//! TLS on a listener: which certificate is shown, which protocols are spoken, and the handshake.

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
    tls::{self, CertifiedIdentity, choose},
};

/// How long a client may take for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The first byte of a handshake record. (RFC 8446, section 5.1)
const HANDSHAKE_RECORD: u8 = 22;

/// What a client gets that speaks plain HTTP where TLS is spoken. (As nginx's.)
const PLAIN: &str = concat!(
    "HTTP/1.1 400 Bad Request\r\nServer: mynah/",
    env!("CARGO_PKG_VERSION"),
    "\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 186\r\nConnection: close\r\n\r\n",
    "<html>\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\n",
    "<body>\n<h1>400 Bad Request</h1>\n<p>The plain HTTP request was sent to HTTPS port</p>\n</body>\n</html>\n"
);

/// Makes TLS of the connections of one listener. A clone is another handle to the same.
#[derive(Clone)]
pub struct ListenerTlsAcceptor(TlsAcceptor);

/// Shows the certificate that the current configuration has for the name that a client asks for.
#[derive(Debug)]
struct CertResolver {
    /// Where certificates by name come from; none if there is one for all.
    live: Option<Arc<LiveSnapshot>>,
    others: Vec<CertifiedIdentity>,
}

impl ListenerTlsAcceptor {
    /// Speaks TLS as `settings` say, shows `given` or else a generated certificate, and with `live` those that the
    /// current Snapshot has for a client's server name; asks clients for certificates as `clients` say. With `http2`, clients may choose it. (RFC 7301)
    ///
    /// # Errors
    /// A certificate cannot be read, or there is no cipher left to speak.
    pub fn new(
        settings: &settings::ListenerTls,
        given: &CertificateFiles,
        clients: &ClientCertificates,
        live: Option<Arc<LiveSnapshot>>,
        http2: bool,
    ) -> Result<Self, String> {
        let others = if given.certificates.is_empty() {
            vec![tls::self_signed().map_err(|fault| fault.to_string())?]
        } else {
            tls::identities(&given.certificates, &given.keys)?
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
        let mut config = builder.with_cert_resolver(Arc::new(CertResolver { live, others }));
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

    /// Shakes hands over what `wrap` makes of the connection; none if it came to nothing, which nobody but the client
    /// needs to know.
    pub(super) async fn accept<S>(
        &self,
        stream: TcpStream,
        wrap: impl FnOnce(TcpStream) -> S,
    ) -> Option<(Box<TlsStream<S>>, ClientTls)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let peer = stream.peer_addr();
        let shaking = async {
            let mut first = [0];
            if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE_RECORD {
                refuse_plain(stream).await?;
                return Ok(None);
            }
            self.0.accept(wrap(stream)).await.map(Some)
        };
        // In a box of its own, so that connections without TLS do not keep room for it.
        match Box::pin(timeout(HANDSHAKE, shaking)).await {
            Ok(Ok(Some(stream))) => {
                let agreed = agreed(&stream);
                return Some((Box::new(stream), agreed));
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
        out.write_str("Acceptor")
    }
}

impl ResolvesServerCert for CertResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let named = self.live.as_ref().and_then(|live| {
            let snapshot = live.current();
            choose(snapshot.certificates().find(hello.server_name())?, schemes)
        });
        named.or_else(|| choose(&self.others, schemes))
    }
}

/// Tells a client, in its own words, that it speaks the wrong protocol.
async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    // A connection that is closed with bytes unread is reset, and the client might not see the answer.
    let _ = stream.read(&mut [0; 8192]).await?;
    stream.write_all(PLAIN.as_bytes()).await?;
    stream.shutdown().await
}

/// What client and listener have agreed on.
fn agreed<S>(stream: &TlsStream<S>) -> ClientTls {
    let session = stream.get_ref().1;
    ClientTls {
        server_name: session.server_name().map(Arc::from),
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        cipher: session.negotiated_cipher_suite().map_or("", |it| openssl_name(it.suite())),
    }
}

fn versions(settings: &settings::ListenerTls) -> Vec<&'static SupportedProtocolVersion> {
    let modern = settings.cipher_suite == Suite::Modern;
    let all = [(settings.protocols.tls13, &TLS13), (settings.protocols.tls12 && !modern, &TLS12)];
    all.into_iter().filter_map(|(spoken, version)| spoken.then_some(version)).collect()
}

fn provider(settings: &settings::ListenerTls) -> Result<CryptoProvider, String> {
    let mut provider = (*tls::provider()).clone();
    let wanted = &settings.ciphers.0;
    if settings.cipher_suite == Suite::Custom && !wanted.is_empty() {
        let place = |suite| wanted.iter().position(|name| name == openssl_name(suite));
        // Those of TLS 1.3 are not OpenSSL's to choose by this list.
        let is_13 = |suite: CipherSuite| openssl_name(suite).starts_with("TLS_");
        provider.cipher_suites.retain(|it| is_13(it.suite()) || place(it.suite()).is_some());
        provider.cipher_suites.sort_by_key(|it| place(it.suite()));
        if settings.protocols.tls12 && provider.cipher_suites.iter().all(|it| is_13(it.suite())) {
            return Err(format!("ssl_ciphers names no cipher that is spoken here; there are {}", spoken()));
        }
    }
    Ok(provider)
}

fn spoken() -> String {
    CIPHERS
        .iter()
        .map(|(_, name)| *name)
        .filter(|name| !name.starts_with("TLS_"))
        .collect::<Vec<_>>()
        .join(":")
}

/// The ciphers that are spoken, and OpenSSL's names of them.
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
    CIPHERS.iter().find(|(it, _)| *it == suite).map_or("", |(_, name)| name)
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
    fn the_answer_to_plain_text_is_as_long_as_it_says() {
        let (head, body) = PLAIN.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{}", body.len());
    }

    /// Checks which ciphers are left.
    #[track_caller]
    fn check(suite: Suite, ciphers: &str, expected: Result<&[&str], &str>) {
        let ciphers = settings::CipherNames(ciphers.split(':').map(str::to_owned).collect());
        let settings =
            settings::ListenerTls { cipher_suite: suite, ciphers, ..settings::ListenerTls::default() };
        let left = provider(&settings)
            .map(|it| it.cipher_suites.iter().map(|it| openssl_name(it.suite())).collect::<Vec<_>>());
        assert_eq!(left.as_deref().map_err(|it| it.split(';').next().unwrap()), expected);
    }

    #[test]
    fn ciphers_may_be_chosen() {
        let all: Vec<&str> = CIPHERS.iter().map(|(_, name)| *name).collect();
        check(Suite::Intermediate, "", Ok(&all));
        let named = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:DES-CBC3-SHA";
        let left = [&all[..3], &["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"]].concat();
        check(Suite::Custom, named, Ok(&left));
        check(Suite::Custom, "DES-CBC3-SHA", Err("ssl_ciphers names no cipher that is spoken here"));
    }
}
