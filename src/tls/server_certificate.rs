//! Verification of the certificate of a server: its chain, its name, and the signature of its handshake.
//! (RFC 5280, section 6; RFC 9525.)

use std::{fmt, sync::Arc};

use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor, verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime},
    server::ParsedCertificate,
};
use webpki::KeyUsage;

use super::{
    CaStore,
    chain_depth::has_path_within,
    verification::{SUPPORTED, is_signed_by, verify_handshake},
    x509::{
        ALTERNATIVE_NAMES, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_USAGE, NAME_CONSTRAINTS, SubjectKey,
        X509Certificate,
    },
};

/// The reason why a certificate of a client or of a signer is not accepted for a server.
pub const OTHER_PURPOSE: &str = "the certificate of the upstream is for another use than that of a server";

/// Trusted authorities and the limit of chains. (Kong: Service `tls_verify`, `ca_certificates`, `tls_verify_depth`.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The authorities that may issue a certificate.
    pub authorities: CaStore,
    /// The largest number of intermediate certificates; `None` for any number.
    pub depth: Option<u8>,
}

/// Verifier of server certificates; without [`Trust`] it accepts any certificate whose key the server has.
#[derive(Debug)]
pub struct Verifier(pub Option<Trust>);

/// Error that rustls has no variant for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct VerificationError(String);

impl Trust {
    fn verify(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = X509Certificate::read(shown).ok_or(CertificateError::BadEncoding)?;
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if self.authorities.contains(shown) && certificate.issuer == certificate.subject {
            return check_usable(&certificate, seconds);
        }
        let authorities = self.authorities.valid_at(seconds);
        // webpki verifies the certificates that it can parse as those of a server.
        match ParsedCertificate::try_from(shown) {
            Ok(parsed) if !certificate.is_authority() => {
                let algorithms = SUPPORTED.all;
                let by_webpki = verify_server_cert_signed_by_trust_anchor(
                    &parsed,
                    &authorities,
                    intermediates,
                    now,
                    algorithms,
                );
                match by_webpki {
                    Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                        Err(unknown_issuer(&certificate))
                    }
                    Err(error) => Err(error),
                    Ok(()) => self.check_depth(shown, &authorities, intermediates, now),
                }
            }
            _ => {
                check_usable(&certificate, seconds)?;
                let chain: Vec<_> = intermediates.iter().take(MAX_INTERMEDIATES).collect();
                let chain: Vec<_> = chain.iter().filter_map(|der| X509Certificate::read(der)).collect();
                let mut path = PathSearch {
                    authorities: &authorities.roots,
                    chain: &chain,
                    now: seconds,
                    checks: MAX_SIGNATURE_CHECKS,
                };
                match path.length_from(&certificate, &mut Vec::new()) {
                    None => Err(unknown_issuer(&certificate)),
                    Some(length) if self.depth.is_none_or(|depth| length <= usize::from(depth)) => Ok(()),
                    Some(_) => Err(self.too_long()),
                }
            }
        }
    }

    fn check_depth(
        &self,
        certificate: &CertificateDer<'_>,
        authorities: &RootCertStore,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let (anchors, usage) = (&*authorities.roots, KeyUsage::server_auth());
        let is_within = self
            .depth
            .is_none_or(|depth| has_path_within(depth, certificate, intermediates, anchors, usage, now));
        if is_within { Ok(()) } else { Err(self.too_long()) }
    }

    fn too_long(&self) -> Error {
        let depth = self.depth.unwrap_or(u8::MAX);
        verification_error(format!(
            "the chain of the upstream's certificate is longer than tls_verify_depth {depth}"
        ))
    }
}

fn verification_error(why: impl Into<String>) -> Error {
    CertificateError::Other(OtherError(Arc::new(VerificationError(why.into())))).into()
}

fn unknown_issuer(certificate: &X509Certificate<'_>) -> Error {
    if certificate.issuer != certificate.subject {
        return CertificateError::UnknownIssuer.into();
    }
    verification_error(
        "no trusted authority vouches for the certificate of the upstream, which is signed by itself: to trust it, name \
         it in ca_certificates of the Service, or in lua_ssl_trusted_certificate (KONG_LUA_SSL_TRUSTED_CERTIFICATE); to accept \
         any certificate, set tls_verify of the Service to false",
    )
}

/// Checks that a certificate is valid at a time and may be that of a server.
fn check_usable(certificate: &X509Certificate<'_>, now: i64) -> Result<(), Error> {
    if now < certificate.not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > certificate.not_after {
        return Err(CertificateError::Expired.into());
    }
    let server = |id: &&[u8]| *id == SERVER_AUTHENTICATION || *id == ANY_PURPOSE;
    let is_for_servers = certificate.purposes().is_none_or(|all| all.iter().any(server));
    if !is_for_servers || certificate.key_usage().is_some_and(|usage| usage & FOR_TLS == 0) {
        return Err(verification_error(OTHER_PURPOSE));
    }
    if has_unknown_critical_extension(certificate) {
        return Err(CertificateError::UnhandledCriticalExtension.into());
    }
    Ok(())
}

/// Whether a certificate has an unknown critical extension.
fn has_unknown_critical_extension(certificate: &X509Certificate<'_>) -> bool {
    let known = [KEY_USAGE, ALTERNATIVE_NAMES, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE];
    certificate.all_extensions().iter().any(|extension| extension.critical && !known.contains(&extension.id))
}

/// `serverAuth` and `anyExtendedKeyUsage`. (RFC 5280, section 4.2.1.12.)
const SERVER_AUTHENTICATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 37, 0];

/// Bits of the key usage: digitalSignature, keyEncipherment and keyAgreement, one of which OpenSSL requires of a server;
/// keyCertSign. (RFC 5280, section 4.2.1.3.)
const FOR_TLS: u8 = 0b1010_1000;
const FOR_CERTIFICATES: u8 = 0b0000_0100;

/// The largest number of certificates of a chain that are considered, and of signatures that are verified to find a path.
const MAX_INTERMEDIATES: usize = 8;
const MAX_SIGNATURE_CHECKS: usize = 32;

/// Search for a path from a certificate to a trusted authority. webpki refuses certificates of version 1, and those of an
/// authority as that of a server; OpenSSL accepts both, and so does this.
struct PathSearch<'a> {
    authorities: &'a [TrustAnchor<'static>],
    chain: &'a [X509Certificate<'a>],
    now: i64,
    /// Number of signatures that may still be verified.
    checks: usize,
}

impl PathSearch<'_> {
    /// The number of certificates between this one and an authority; `None` if there is no path.
    fn length_from(&mut self, certificate: &X509Certificate<'_>, below: &mut Vec<usize>) -> Option<usize> {
        let authorities = self.authorities;
        for anchor in authorities {
            // Name constraints are not evaluated here, so that such an authority does not count.
            let issues = *anchor.subject == *certificate.issuer && anchor.name_constraints.is_none();
            let key = SubjectKey::read(&anchor.subject_public_key_info).filter(|_| issues);
            if key.is_some_and(|key| self.is_signed(certificate, &key)) {
                return Some(below.len());
            }
        }
        let chain = self.chain;
        for (n, issuer) in chain.iter().enumerate() {
            let fits = issuer.subject == certificate.issuer
                && !below.contains(&n)
                && self.may_issue(issuer, below.len())
                && self.is_signed(certificate, &issuer.key);
            if fits {
                below.push(n);
                let length = self.length_from(issuer, below);
                if length.is_some() {
                    return length;
                }
                below.pop();
            }
        }
        None
    }

    fn is_signed(&mut self, certificate: &X509Certificate<'_>, key: &SubjectKey<'_>) -> bool {
        let Some(left) = self.checks.checked_sub(1) else { return false };
        self.checks = left;
        is_signed_by(certificate, key)
    }

    fn may_issue(&self, issuer: &X509Certificate<'_>, below: usize) -> bool {
        issuer.is_authority()
            && (issuer.not_before..=issuer.not_after).contains(&self.now)
            && issuer.max_path_length().is_none_or(|limit| below <= limit)
            && issuer.key_usage().is_none_or(|usage| usage & FOR_CERTIFICATES != 0)
            && issuer
                .purposes()
                .is_none_or(|all| all.iter().any(|id| [SERVER_AUTHENTICATION, ANY_PURPOSE].contains(id)))
            && issuer.extension(NAME_CONSTRAINTS).is_none()
            && !has_unknown_critical_extension(issuer)
    }
}

/// The tags of alternative names. (RFC 5280, section 4.2.1.6.)
const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;

impl Trust {
    /// Checks that a certificate is for a server of this name. Without alternative names, the common names of the subject
    /// count, as in OpenSSL.
    fn verify_name(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> Result<(), Error> {
        let certificate = X509Certificate::read(shown).ok_or(CertificateError::BadEncoding)?;
        let is_address = matches!(name, ServerName::IpAddress(_));
        if certificate.has_alternative_name(DNS_NAME)
            || (is_address && certificate.has_alternative_name(ADDRESS))
        {
            return verify_server_name(&ParsedCertificate::try_from(shown)?, name);
        }
        let names = certificate.common_names();
        if names.is_empty() || self.has_name_constraints(&certificate, intermediates) {
            return Err(CertificateError::NotValidForName.into());
        }
        let host = name.to_str();
        if names.iter().any(|pattern| matches_host(pattern, &host)) {
            return Ok(());
        }
        let names = names.join(", ");
        Err(verification_error(format!("the certificate of the upstream is not for {host} but for {names}")))
    }

    /// Whether an issuer may have name constraints, which webpki checks against alternative names alone.
    fn has_name_constraints(
        &self,
        certificate: &X509Certificate<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> bool {
        let mut issuers = vec![certificate.issuer];
        for der in intermediates {
            let Some(issuer) = X509Certificate::read(der) else { return true };
            if issuer.extension(NAME_CONSTRAINTS).is_some() {
                return true;
            }
            issuers.push(issuer.issuer);
        }
        let is_constrained = |anchor: &TrustAnchor<'_>| {
            anchor.name_constraints.is_some() && issuers.contains(&&*anchor.subject)
        };
        self.authorities.anchors().iter().any(is_constrained)
    }
}

/// Whether a name, whose first label may be `*`, matches a host. (RFC 9525, section 6.3.)
fn matches_host(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if pattern.eq_ignore_ascii_case(host) {
        return true;
    }
    let (Some(parent), Some((_, of_host))) = (pattern.strip_prefix("*."), host.split_once('.')) else {
        return false;
    };
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    parent.contains('.') && !is_address && parent.eq_ignore_ascii_case(of_host)
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
            trust.verify(certificate, intermediates, now)?;
            trust.verify_name(certificate, intermediates, name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(false, message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(true, message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SUPPORTED.supported_schemes()
    }
}

impl fmt::Display for VerificationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for VerificationError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_match_hosts() {
        for (pattern, host, expected) in [
            ("a.example", "a.example", true),
            ("A.example", "a.EXAMPLE.", true),
            ("*.b.example", "a.b.example", true),
            ("*.b.example", "b.example", false),
            ("*.b.example", "x.a.b.example", false),
            ("*.example", "a.example", false),
            ("*.0.0.1", "127.0.0.1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("*", "a", false),
        ] {
            assert_eq!(matches_host(pattern, host), expected, "{pattern} {host}");
        }
    }
}
