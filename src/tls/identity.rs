//! Certificate with its private key, for handshakes.

use std::{fmt, sync::Arc};

use ring::digest::{SHA256, digest};
use rustls::{pki_types::CertificateDer, sign::CertifiedKey};

use super::{
    pem,
    private_key::{KeyType, PrivateKey},
    signing::{SigningFault, prepare},
    x509::X509Certificate,
};

/// A certificate, its chain and its private key.
#[derive(Clone)]
pub struct CertifiedIdentity {
    certified: Arc<CertifiedKey>,
    kind: KeyType,
    /// SHA-256 of the text of the key: identities with the same certificates and key are equal.
    key: [u8; 32],
    warnings: Arc<[String]>,
}

/// Error of a certificate or its key. The texts are Kong's, where it has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// The certificate cannot be parsed, and why.
    Certificate(String),
    /// The private key cannot be parsed, and why.
    Key(String),
    /// The key does not match the certificate, and a help if the cause is known.
    Mismatch(Option<String>),
    /// Certificate and key match, but are not supported in a handshake: the type of the key, and why.
    Unsupported(KeyType, String),
}

impl CertifiedIdentity {
    /// Reads the certificate, which its chain may follow, and the key, both PEM.
    ///
    /// # Errors
    /// If one of them cannot be parsed, they do not match, or their type is not supported in a handshake.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, CertificateFault> {
        let mut read = pem::certificates(certificate).into_iter();
        let first = read
            .next()
            .ok_or_else(|| CertificateFault::Certificate(super::authorities::MISSING.to_owned()))?;
        let first = first.map_err(|why| CertificateFault::Certificate(why.to_owned()))?;
        let not_encoded = || CertificateFault::Certificate(pem::NOT_X509.to_owned());
        let leaf = X509Certificate::read(&first).ok_or_else(not_encoded)?;
        let private = PrivateKey::from_pem(key).map_err(CertificateFault::Key)?;
        let (mut rest, mut warnings) = (Vec::new(), Vec::new());
        for (n, certificate) in read.enumerate() {
            match certificate.ok().filter(|der| X509Certificate::read(der).is_some()) {
                Some(der) => rest.push(der),
                // OpenSSL checks only the first one when a configuration is loaded.
                None => warnings
                    .push(format!("certificate {} of its chain cannot be read, and is left out", n + 2)),
            }
        }
        let signing = prepare(&private, &leaf.key).map_err(|fault| match fault {
            SigningFault::Mismatch => CertificateFault::Mismatch(mismatch_help(&private, &rest)),
            SigningFault::Unsupported(why) => CertificateFault::Unsupported(private.kind, why),
        })?;
        if signing.is_slow {
            let warning = "each handshake takes a processor up to a tenth of a second with its key of RSA; with one of P-256, \
                          or of RSA with 2048 bits, it takes a millisecond";
            warnings.push(warning.to_owned());
        }
        let chain = std::iter::once(first).chain(rest).map(CertificateDer::from).collect();
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(chain, signing.key)),
            kind: private.kind,
            key: digest_of(key),
            warnings: warnings.into(),
        })
    }

    /// The certificate and key for a handshake.
    #[must_use]
    pub const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// The certificate and its chain, the certificate first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    /// The type of the key.
    #[must_use]
    pub const fn kind(&self) -> KeyType {
        self.kind
    }

    /// Warnings for the operator.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl CertificateFault {
    /// The type of the key, if the certificate is valid but not supported in a handshake.
    #[must_use]
    pub const fn unsupported_type(&self) -> Option<KeyType> {
        if let Self::Unsupported(kind, _) = self { Some(*kind) } else { None }
    }
}

fn digest_of(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

/// Help for a key that matches another certificate of the same text.
fn mismatch_help(key: &PrivateKey, rest: &[Vec<u8>]) -> Option<String> {
    let matches =
        |der: &Vec<u8>| X509Certificate::read(der).is_some_and(|read| prepare(key, &read.key).is_ok());
    let position = rest.iter().position(matches)? + 2;
    Some(format!("put certificate {position} of this text first: the key is that one's"))
}

impl PartialEq for CertifiedIdentity {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.certified, &other.certified)
            || (self.certified.cert == other.certified.cert && self.key == other.key)
    }
}

impl Eq for CertifiedIdentity {}

impl fmt::Debug for CertifiedIdentity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Identity")
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(why) => write!(out, "invalid certificate: {why}"),
            Self::Key(why) => write!(out, "invalid key: {why}"),
            Self::Mismatch(_) => out.write_str("certificate does not match key"),
            Self::Unsupported(_, why) => out.write_str(why),
        }
    }
}

impl std::error::Error for CertificateFault {}
