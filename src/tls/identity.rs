//! A certificate with its private key, as it is shown to a peer.

use std::{fmt, sync::Arc};

use ring::digest::{SHA256, digest};
use rustls::{pki_types::CertificateDer, sign::CertifiedKey};

use super::{
    pem,
    private_key::{KeyType, PrivateKey},
    signing::{SigningFault, prepare},
    x509::Certificate,
};

/// A certificate, those that lead from it to an authority, and its private key.
#[derive(Clone)]
pub struct CertifiedIdentity {
    certified: Arc<CertifiedKey>,
    kind: KeyType,
    /// The SHA-256 of the key as it was read: two identities with the same certificates and key are equal.
    key: [u8; 32],
    remarks: Arc<[String]>,
}

/// What is wrong with a certificate or its key. Kong's words, where it has some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    /// The certificate cannot be read, and why.
    Certificate(String),
    /// The private key cannot be read, and why.
    Key(String),
    /// The key belongs to another certificate, and what to do if that can be told.
    Mismatch(Option<String>),
    /// Both can be read and belong together, but cannot be shown in a handshake: the type of the key, and why.
    Unservable(KeyType, String),
}

impl CertifiedIdentity {
    /// Reads the certificate, which may be followed by its chain, and the key, both PEM.
    ///
    /// # Errors
    /// One of them cannot be read, they do not belong together, or there is no handshake for their kind.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, CertificateFault> {
        let mut read = pem::certificates(certificate).into_iter();
        let first = read
            .next()
            .ok_or_else(|| CertificateFault::Certificate(super::authorities::MISSING.to_owned()))?;
        let first = first.map_err(|why| CertificateFault::Certificate(why.to_owned()))?;
        let not_encoded =
            || CertificateFault::Certificate("what it encodes is no X.509 certificate".to_owned());
        let leaf = Certificate::read(&first).ok_or_else(not_encoded)?;
        let private = PrivateKey::from_pem(key).map_err(CertificateFault::Key)?;
        let (mut rest, mut remarks) = (Vec::new(), Vec::new());
        for (n, it) in read.enumerate() {
            match it.ok().filter(|der| Certificate::read(der).is_some()) {
                Some(der) => rest.push(der),
                // As OpenSSL reads it, only the first one counts when a configuration is checked.
                None => remarks
                    .push(format!("certificate {} of its chain cannot be read, and is left out", n + 2)),
            }
        }
        let signing = prepare(&private, &leaf.key).map_err(|fault| match fault {
            SigningFault::Mismatch => CertificateFault::Mismatch(owner(&private, &rest)),
            SigningFault::Unsupported(why) => CertificateFault::Unservable(private.kind, why),
        })?;
        if signing.is_slow {
            let remark = "each handshake takes a processor up to a tenth of a second with its key of RSA; with one of P-256, \
                          or of RSA with 2048 bits, it takes a millisecond";
            remarks.push(remark.to_owned());
        }
        let chain = std::iter::once(first).chain(rest).map(CertificateDer::from).collect();
        Ok(Self {
            certified: Arc::new(CertifiedKey::new(chain, signing.key)),
            kind: private.kind,
            key: digest_of(key),
            remarks: remarks.into(),
        })
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

    /// The type of its key.
    #[must_use]
    pub const fn kind(&self) -> KeyType {
        self.kind
    }

    /// What its owner should know of it.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }
}

impl CertificateFault {
    /// The type of the key, of a certificate that can only not be shown.
    #[must_use]
    pub const fn unservable(&self) -> Option<KeyType> {
        if let Self::Unservable(kind, _) = self { Some(*kind) } else { None }
    }
}

fn digest_of(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

/// What to do if the key is that of another certificate of the same text.
fn owner(key: &PrivateKey, rest: &[Vec<u8>]) -> Option<String> {
    let owns = |der: &Vec<u8>| Certificate::read(der).is_some_and(|it| prepare(key, &it.key).is_ok());
    let place = rest.iter().position(owns)? + 2;
    Some(format!("put certificate {place} of this text first: the key is that one's"))
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
            Self::Unservable(_, why) => out.write_str(why),
        }
    }
}

impl std::error::Error for CertificateFault {}
