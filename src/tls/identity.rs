//! A certificate with its private key, as it is shown to a peer.

use std::{fmt, sync::Arc};

use rustls::{
    Error, InconsistentKeys,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::CertifiedKey,
};

use super::provider;

/// A certificate, those that lead from it to an authority, and its private key.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    /// The key as it was read: two identities with the same certificates and key are equal.
    key: Arc<PrivateKeyDer<'static>>,
}

/// What is wrong with a certificate or its key. The words are Kong's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The certificate cannot be read, and why.
    Certificate(String),
    /// The private key cannot be read, and why.
    Key(String),
    /// The key belongs to another certificate.
    Mismatch,
}

impl Identity {
    /// Reads the certificate, which may be followed by its chain, and the key, both PEM.
    ///
    /// # Errors
    /// One of them cannot be read, or they do not belong together.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, Fault> {
        let chain = chain(certificate).map_err(Fault::Certificate)?;
        let key = private_key(key).map_err(Fault::Key)?;
        Self::new(chain, key)
    }

    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, Fault> {
        let kept = Arc::new(key.clone_key());
        let signing = provider().key_provider.load_private_key(key);
        let signing = signing.map_err(|error| Fault::Key(told(&error)))?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Self { certified: Arc::new(certified), key: kept })
            }
            Err(Error::InconsistentKeys(_)) => Err(Fault::Mismatch),
            Err(error) => Err(Fault::Certificate(told(&error))),
        }
    }

    /// What is shown in a handshake.
    #[must_use]
    pub const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// The certificate and its chain, the certificate first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }
}

/// Reads one certificate or more of a PEM text.
pub(super) fn chain(text: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match read {
        Ok(chain) if chain.is_empty() => Err("there is no `-----BEGIN CERTIFICATE-----` in it".to_owned()),
        Ok(chain) => Ok(chain),
        Err(error) => Err(broken(&error)),
    }
}

fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, String> {
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err("it is encrypted, and nobody can be asked for the passphrase".to_owned());
    }
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| match error {
        pem::Error::NoItemsFound => "there is no `-----BEGIN ... PRIVATE KEY-----` in it".to_owned(),
        error => broken(&error),
    })
}

/// What is wrong with a PEM text; never a part of it, for that may be a key.
fn broken(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "its `-----END` is missing".to_owned(),
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is not base64".to_owned(),
        _ => "it is no PEM text".to_owned(),
    }
}

fn told(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(rustls::CertificateError::BadEncoding) => {
            "what it encodes is no X.509 certificate".to_owned()
        }
        Error::General(text) => text.clone(),
        error => error.to_string(),
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.certified, &other.certified)
            || (self.certified.cert == other.certified.cert && self.key == other.key)
    }
}

impl Eq for Identity {}

impl fmt::Debug for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Identity")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(why) => write!(out, "invalid certificate: {why}"),
            Self::Key(why) => write!(out, "invalid key: {why}"),
            Self::Mismatch => out.write_str("certificate does not match key"),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::{super::generated::signed_by_itself, *};

    #[track_caller]
    fn check(certificate: &str, key: &str, expected: Result<(), &str>) {
        let read = Identity::from_pem(certificate, key).map(drop).map_err(|fault| fault.to_string());
        assert_eq!(read, expected.map_err(str::to_owned));
    }

    #[test]
    fn a_certificate_needs_its_own_key() {
        let (certificate, key) = signed_by_itself(&["a.example"]);
        let (_, other) = signed_by_itself(&["a.example"]);
        check(&certificate, &key, Ok(()));
        check(&format!("{key}{certificate}"), &format!("{certificate}{key}"), Ok(()));
        check(&certificate, &other, Err("certificate does not match key"));
        let none = "invalid certificate: there is no `-----BEGIN CERTIFICATE-----` in it";
        check("x", &key, Err(none));
        check(&key, &key, Err(none));
        check(&certificate, "", Err("invalid key: there is no `-----BEGIN ... PRIVATE KEY-----` in it"));
        check(
            &certificate,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----",
            Err("invalid key: it is encrypted, and nobody can be asked for the passphrase"),
        );
        let half = &certificate[..certificate.len() / 2];
        check(half, &key, Err("invalid certificate: its `-----END` is missing"));
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        check(empty, &key, Err("invalid certificate: what it encodes is no X.509 certificate"));
        let wrong = "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----\n";
        check(wrong, &key, Err("invalid certificate: what stands between BEGIN and END is not base64"));
    }

    #[test]
    fn the_same_pem_is_the_same_identity() {
        let (certificate, key) = signed_by_itself(&["a.example"]);
        let read = || Identity::from_pem(&certificate, &key).unwrap();
        assert_eq!(read(), read());
        let (certificate, key) = signed_by_itself(&["a.example"]);
        assert_ne!(read(), Identity::from_pem(&certificate, &key).unwrap());
    }
}
