//! TLS settings of upstreams: trusted authorities and client certificate; texts for failed handshakes.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    sync::{Arc, LazyLock},
};

use rustls::{
    AlertDescription as Alert, CertificateError, ClientConfig, Error, PeerIncompatible, PeerMisbehaved,
    pki_types::ServerName, sign::SingleCertAndKey,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsConnector, client::TlsStream};

pub use crate::tls::Trust;
use crate::tls::{CaStore, CertifiedIdentity, OTHER_PURPOSE, Verifier, provider};

/// Settings of TLS with an upstream. Equal settings share connections.
pub struct TlsSettings {
    trust: Option<Trust>,
    identity: Option<CertifiedIdentity>,
    hash: u64,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

impl TlsSettings {
    /// Accepts certificates that `trust` verifies, or any without it; `identity` is the client certificate.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "ring supports these versions")]
    pub fn new(trust: Option<Trust>, identity: Option<CertifiedIdentity>) -> Arc<Self> {
        let config = |protocol: &[&str]| {
            let config = ClientConfig::builder_with_provider(provider())
                .with_safe_default_protocol_versions()
                .expect("ring supports TLS 1.2 and 1.3")
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Verifier(trust.clone())));
            let mut config = match &identity {
                None => config.with_no_client_auth(),
                Some(identity) => {
                    let key = SingleCertAndKey::from(identity.certified().clone());
                    config.with_client_cert_resolver(Arc::new(key))
                }
            };
            config.alpn_protocols = protocol.iter().map(|name| name.as_bytes().to_vec()).collect();
            Arc::new(config)
        };
        let (http1, http2) = (config(&[]), config(&["h2"]));
        let mut hasher = DefaultHasher::new();
        trust.as_ref().map(|trust| (trust.authorities.anchors(), trust.depth)).hash(&mut hasher);
        identity.as_ref().map(CertifiedIdentity::chain).hash(&mut hasher);
        Arc::new(Self { trust, identity, hash: hasher.finish(), http1, http2 })
    }

    /// Whether certificates are verified.
    #[must_use]
    pub const fn verifies(&self) -> bool {
        self.trust.is_some()
    }

    /// The same client certificate, with another trust.
    #[must_use]
    pub fn with_trust(&self, trust: Option<Trust>) -> Arc<Self> {
        Self::new(trust, self.identity.clone())
    }

    /// Accepts any certificate: Kong's behaviour while `tls_verify` is not set.
    #[must_use]
    pub fn trusting() -> Arc<Self> {
        static TRUSTING: LazyLock<Arc<TlsSettings>> = LazyLock::new(|| TlsSettings::new(None, None));
        TRUSTING.clone()
    }

    /// Accepts certificates that public authorities have issued.
    #[must_use]
    pub fn verifying() -> Arc<Self> {
        static VERIFYING: LazyLock<Arc<TlsSettings>> = LazyLock::new(|| {
            TlsSettings::new(Some(Trust { authorities: CaStore::public(), depth: None }), None)
        });
        VERIFYING.clone()
    }

    /// Makes a TLS handshake with a server of another protocol than HTTP. With settings that verify, its certificate has
    /// to be for `name`.
    ///
    /// # Errors
    /// If `name` is neither a name nor an address, or the handshake fails.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        name: &str,
        stream: S,
    ) -> io::Result<TlsStream<S>> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let connected = TlsConnector::from(self.http1.clone()).connect(name, stream).await;
        connected.map_err(|error| io::Error::new(error.kind(), reason(&error)))
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

/// Text for a failed handshake.
pub(super) fn reason(error: &io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => reason_of(error),
        None => error.to_string(),
    }
}

fn reason_of(error: &Error) -> String {
    let text = match error {
        Error::InvalidCertificate(error) => return reason_of_certificate(error),
        Error::AlertReceived(alert) => return reason_of_alert(*alert),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the upstream speaks an older version of TLS than 1.2"
        }
        Error::PeerIncompatible(_) => "the upstream and the gateway have no way of TLS in common",
        Error::PeerMisbehaved(PeerMisbehaved::SignedKxWithWrongAlgorithm) => {
            "the upstream signs in a way that is not supported in TLS 1.2; with a key of RSA-PSS it has to speak TLS 1.3"
        }
        Error::PeerMisbehaved(_) => "the upstream does not keep to the rules of TLS",
        Error::InvalidMessage(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. } => "what the upstream sent is no handshake of TLS",
        Error::NoCertificatesPresented => "the upstream shows no certificate",
        Error::DecryptError => "what the upstream sent cannot be decrypted",
        Error::PeerSentOversizedRecord => "the upstream sent a record that is larger than TLS allows",
        Error::NoApplicationProtocol => "the upstream speaks no protocol that was asked for by ALPN",
        Error::General(text) => text,
        _ => "the handshake cannot go on",
    };
    text.to_owned()
}

fn reason_of_certificate(error: &CertificateError) -> String {
    let text = match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate of the upstream has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate of the upstream is not valid yet"
        }
        CertificateError::UnknownIssuer => {
            "no trusted authority vouches for the certificate of the upstream: name its authority in ca_certificates of \
             the Service, or in lua_ssl_trusted_certificate (KONG_LUA_SSL_TRUSTED_CERTIFICATE)"
        }
        CertificateError::NotValidForName => "the certificate of the upstream is for another name",
        CertificateError::NotValidForNameContext { expected, presented } => {
            // rustls writes them as `DnsName("a.example")`.
            let name = |text: &String| text.split('"').nth(1).unwrap_or(text).to_owned();
            let names: Vec<String> = presented.iter().map(name).collect();
            let expected = expected.to_str();
            return format!(
                "the certificate of the upstream is not for {expected} but for {}",
                names.join(", ")
            );
        }
        CertificateError::BadEncoding => {
            "what the upstream shows is no X.509 certificate that can be verified"
        }
        CertificateError::BadSignature => {
            "a signature in the chain of the upstream's certificate or in its handshake is wrong, or made with a key of RSA \
             under 2048 bits"
        }
        CertificateError::UnhandledCriticalExtension => {
            "the certificate of the upstream has an extension that is not supported and must not be ignored"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => OTHER_PURPOSE,
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "a certificate in the chain of the upstream is signed in a way that is not supported, as with SHA-1 or an \
             unusual curve"
        }
        CertificateError::Other(other) => return other.to_string(),
        _ => "the certificate of the upstream does not keep to the rules",
    };
    text.to_owned()
}

/// Text for an alert of the upstream, with the names of RFC 8446, section 6.2.
fn reason_of_alert(alert: Alert) -> String {
    let name = match alert {
        Alert::HandshakeFailure => "handshake_failure",
        Alert::BadCertificate => "bad_certificate",
        Alert::UnsupportedCertificate => "unsupported_certificate",
        Alert::CertificateRevoked => "certificate_revoked",
        Alert::CertificateExpired => "certificate_expired",
        Alert::CertificateUnknown => "certificate_unknown",
        Alert::CertificateRequired => "certificate_required",
        Alert::UnknownCA => "unknown_ca",
        Alert::AccessDenied => "access_denied",
        Alert::IllegalParameter => "illegal_parameter",
        Alert::DecodeError => "decode_error",
        Alert::DecryptError => "decrypt_error",
        Alert::ProtocolVersion => "protocol_version",
        Alert::InsufficientSecurity => "insufficient_security",
        Alert::InternalError => "internal_error",
        Alert::UnexpectedMessage => "unexpected_message",
        Alert::UnrecognisedName => "unrecognized_name",
        Alert::NoApplicationProtocol => "no_application_protocol",
        Alert::MissingExtension => "missing_extension",
        other => return format!("the upstream ended the handshake with alert {}", u8::from(other)),
    };
    let hint = match alert {
        Alert::HandshakeFailure => {
            "; the upstream may want a client certificate, or show one of a kind that is not supported (Ed448, DSA, \
             secp256k1, P-224)"
        }
        Alert::CertificateRequired | Alert::BadCertificate => "; the upstream may want a client certificate",
        Alert::UnknownCA | Alert::CertificateUnknown | Alert::UnsupportedCertificate => {
            "; the upstream refuses the client certificate"
        }
        Alert::UnrecognisedName => "; the upstream knows no such server name",
        _ => "",
    };
    format!("the upstream ended the handshake with the alert {name}{hint}")
}
