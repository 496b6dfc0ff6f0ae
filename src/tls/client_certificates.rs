//! Verification of the certificates of clients. (nginx: `ssl_verify_client`; RFC 5280, section 6.)

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime, pem::PemObject},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use webpki::KeyUsage;

use super::{CaStore, chain_depth::has_path_within, provider, source::read_source};

/// Verifier of client certificates: a trusted authority has issued each, over at most `depth` intermediate ones.
#[derive(Debug)]
struct DepthVerifier {
    inner: Arc<dyn ClientCertVerifier>,
    authorities: CaStore,
    depth: u8,
}

/// Error: the chain is longer than `ssl_verify_depth` allows.
#[derive(Debug)]
struct ChainTooLong(u8);

/// Makes a verifier from settings: authorities, revocation lists, the largest number of intermediate certificates, and
/// whether a certificate is required.
///
/// # Errors
/// If a file cannot be read, or contains no certificate or revocation list.
pub fn client_verifier(
    authorities: &[String],
    revocation_lists: &[String],
    depth: u8,
    required: bool,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let authorities = CaStore::from_settings(authorities)?;
    let mut builder = WebPkiClientVerifier::builder_with_provider(authorities.store().clone(), provider());
    if !revocation_lists.is_empty() {
        let mut lists = Vec::new();
        for setting in revocation_lists {
            lists.extend(read_revocation_lists(setting)?);
        }
        // As in nginx: each certificate of a chain needs the list of its issuer, which must not have expired.
        builder = builder.with_crls(lists).enforce_revocation_expiration();
    }
    if !required {
        builder = builder.allow_unauthenticated();
    }
    let inner = builder.build().map_err(|error| error.to_string())?;
    Ok(Arc::new(DepthVerifier { inner, authorities, depth }))
}

fn read_revocation_lists(setting: &str) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let text = read_source(setting)?;
    let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(text.as_bytes()).collect();
    let lists = lists.map_err(|_| "a revocation list is no PEM".to_owned())?;
    if lists.is_empty() {
        return Err("there is no `-----BEGIN X509 CRL-----` in a revocation list".to_owned());
    }
    Ok(lists)
}

impl ClientCertVerifier for DepthVerifier {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(certificate, intermediates, now)?;
        let (depth, anchors) = (self.depth, self.authorities.anchors());
        if !has_path_within(depth, certificate, intermediates, anchors, KeyUsage::client_auth(), now) {
            return Err(CertificateError::Other(OtherError(Arc::new(ChainTooLong(depth)))).into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl fmt::Display for ChainTooLong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the chain of the client's certificate is longer than ssl_verify_depth {}", self.0)
    }
}

impl std::error::Error for ChainTooLong {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_cannot_be_read_are_errors() {
        let verifier = |authorities: &[&str], lists: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            client_verifier(&owned(authorities), &owned(lists), 1, true).map(drop).unwrap_err()
        };
        let missing = verifier(&["/nowhere/ca.pem"], &[]);
        assert!(missing.contains("cannot read /nowhere/ca.pem: "), "{missing}");
        let (authority, _) = super::super::generated::self_signed_pem(&["a.example"]);
        let missing = verifier(&[&authority], &["/nowhere/crl.pem"]);
        assert!(missing.starts_with("cannot read /nowhere/crl.pem: "), "{missing}");
        let none = verifier(&[&authority], &[&authority]);
        assert_eq!(none, "there is no `-----BEGIN X509 CRL-----` in a revocation list");
    }
}
