//! What is asked of the certificates of upstreams, and what they are shown.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    sync::{Arc, LazyLock},
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError,
    SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    crypto::{verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
    sign::SingleCertAndKey,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};
use webpki::{EndEntityCert, KeyUsage};

use crate::tls::{Authorities, Identity, provider};

/// How TLS is spoken with an upstream. Equal settings share connections.
pub struct TlsSettings {
    trust: Option<Trust>,
    identity: Option<Identity>,
    hash: u64,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

/// Whose certificates are taken. (Kong: Service `tls_verify`, `ca_certificates`, `tls_verify_depth`.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Who has to vouch for a certificate.
    pub authorities: Authorities,
    /// The most certificates between it and an authority; none for as many as there are.
    pub depth: Option<u8>,
}

impl TlsSettings {
    /// Takes certificates by `trust`, or without it any; shows `identity` to upstreams that ask for one.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "it cannot: ring speaks these versions")]
    pub fn new(trust: Option<Trust>, identity: Option<Identity>) -> Arc<Self> {
        let config = |protocol: &[&str]| {
            let config = ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .expect("ring speaks TLS 1.2 and 1.3")
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Verifier(trust.clone())));
            let mut config = match &identity {
                None => config.with_no_client_auth(),
                Some(it) => {
                    config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(it.certified().clone())))
                }
            };
            config.alpn_protocols = protocol.iter().map(|it| it.as_bytes().to_vec()).collect();
            Arc::new(config)
        };
        let (http1, http2) = (config(&[]), config(&["h2"]));
        let mut hasher = DefaultHasher::new();
        trust.as_ref().map(|it| (it.authorities.anchors(), it.depth)).hash(&mut hasher);
        identity.as_ref().map(Identity::chain).hash(&mut hasher);
        Arc::new(Self { trust, identity, hash: hasher.finish(), http1, http2 })
    }

    /// Takes any certificate: Kong's behaviour while `tls_verify` is not set.
    #[must_use]
    pub fn trusting() -> Arc<Self> {
        static TRUSTING: LazyLock<Arc<TlsSettings>> = LazyLock::new(|| TlsSettings::new(None, None));
        TRUSTING.clone()
    }

    /// Takes certificates that public authorities vouch for.
    #[must_use]
    pub fn verifying() -> Arc<Self> {
        static VERIFYING: LazyLock<Arc<TlsSettings>> = LazyLock::new(|| {
            TlsSettings::new(Some(Trust { authorities: Authorities::public(), depth: None }), None)
        });
        VERIFYING.clone()
    }

    /// Speaks TLS with a server that is not asked for HTTP. `name` is what its certificate has to be for, if that is
    /// asked.
    ///
    /// # Errors
    /// `name` is neither a name nor an address, or the handshake fails.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        name: &str,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(self.http1.clone()).connect(name, stream).await
    }

    pub(super) const fn client(&self, http2: bool) -> &Arc<ClientConfig> {
        if http2 { &self.http2 } else { &self.http1 }
    }
}

impl PartialEq for TlsSettings {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || (self.hash == other.hash && self.trust == other.trust && self.identity == other.identity)
    }
}

impl Eq for TlsSettings {}

impl Hash for TlsSettings {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verify = self.trust.is_some();
        out.debug_struct("TlsSettings").field("verify", &verify).finish_non_exhaustive()
    }
}

/// Takes certificates by their authorities, or any whose key the peer holds.
#[derive(Debug)]
struct Verifier(Option<Trust>);

/// A chain that is longer than `tls_verify_depth` allows.
#[derive(Debug)]
struct TooLong(u8);

impl Verifier {
    fn check_depth(
        trust: &Trust,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // A chain cannot be longer than what was sent.
        let Some(depth) = trust.depth.filter(|depth| intermediates.len() > usize::from(*depth)) else {
            return Ok(());
        };
        let short = |path: &webpki::VerifiedPath<'_>| match path.intermediate_certificates().count() {
            length if length <= usize::from(depth) => Ok(()),
            _ => Err(webpki::Error::MaximumPathDepthExceeded),
        };
        let too_long = || Error::from(CertificateError::Other(OtherError(Arc::new(TooLong(depth)))));
        let certificate = EndEntityCert::try_from(certificate).map_err(|_| too_long())?;
        let algorithms = provider().signature_verification_algorithms.all;
        let anchors = trust.authorities.anchors();
        let usage = KeyUsage::server_auth();
        certificate
            .verify_for_usage(algorithms, anchors, intermediates, now, usage, None, Some(&short))
            .map(drop)
            .map_err(|_| too_long())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trust) = &self.0 {
            let parsed = ParsedCertificate::try_from(certificate)?;
            let algorithms = provider().signature_verification_algorithms.all;
            let store = trust.authorities.store();
            verify_server_cert_signed_by_trust_anchor(&parsed, store, intermediates, now, algorithms)?;
            Self::check_depth(trust, certificate, intermediates, now)?;
            verify_server_name(&parsed, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Says why a handshake failed.
pub(super) fn reason(error: &io::Error) -> String {
    let error = match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(error)) => error,
        Some(Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate,
        )) => return format!("{error}; the upstream may want a client certificate"),
        _ => return error.to_string(),
    };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate of the upstream has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate of the upstream is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "no trusted authority vouches for the certificate of the upstream".to_owned()
        }
        CertificateError::NotValidForName => "the certificate of the upstream is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            // They come as `DnsName("a.example")`.
            let name = |it: &String| it.split('"').nth(1).unwrap_or(it).to_owned();
            let names: Vec<String> = presented.iter().map(name).collect();
            let expected = expected.to_str();
            format!("the certificate of the upstream is not for {expected} but for {}", names.join(", "))
        }
        CertificateError::Other(other) => other.to_string(),
        error => format!("the certificate of the upstream is not valid: {error}"),
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the chain of the upstream's certificate is longer than tls_verify_depth {}", self.0)
    }
}

impl std::error::Error for TooLong {}
