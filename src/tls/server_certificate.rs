//! Verification of the certificate that a server shows: its chain, its name, and the signature of its handshake.
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
use webpki::{EndEntityCert, KeyUsage};

use super::{
    CaStore,
    verification::{SUPPORTED, is_signed_by, verify_handshake},
    x509::{
        ALTERNATIVE_NAMES, BASIC_CONSTRAINTS, Certificate, EXTENDED_KEY_USAGE, KEY_USAGE, NAME_CONSTRAINTS,
        SubjectKey,
    },
};

/// Whose certificates are taken. (Kong: Service `tls_verify`, `ca_certificates`, `tls_verify_depth`.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Who has to vouch for a certificate.
    pub authorities: CaStore,
    /// The most certificates between it and an authority; none for as many as there are.
    pub depth: Option<u8>,
}

/// Takes certificates by their authorities, or without them any whose key the server holds.
#[derive(Debug)]
pub struct Verifier(pub Option<Trust>);

/// Why a certificate is refused, where the library of TLS has no word for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal(String);

impl Trust {
    fn verify(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = Certificate::read(shown).ok_or(CertificateError::BadEncoding)?;
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if self.authorities.contains(shown) && certificate.issuer == certificate.subject {
            return is_usable(&certificate, seconds);
        }
        let authorities = self.authorities.valid(seconds);
        // Those that webpki reads as the certificate of a server are left to it.
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
                is_usable(&certificate, seconds)?;
                let chain: Vec<_> = intermediates.iter().take(MOST_INTERMEDIATES).collect();
                let chain: Vec<_> = chain.iter().filter_map(|der| Certificate::read(der)).collect();
                let mut path = Path {
                    authorities: &authorities.roots,
                    chain: &chain,
                    now: seconds,
                    checks: MOST_CHECKS,
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
        // A chain cannot be longer than what was sent.
        let Some(depth) = self.depth.filter(|depth| intermediates.len() > usize::from(*depth)) else {
            return Ok(());
        };
        let short = |path: &webpki::VerifiedPath<'_>| match path.intermediate_certificates().count() {
            length if length <= usize::from(depth) => Ok(()),
            _ => Err(webpki::Error::MaximumPathDepthExceeded),
        };
        let certificate = EndEntityCert::try_from(certificate).map_err(|_| self.too_long())?;
        let (algorithms, anchors) = (SUPPORTED.all, &*authorities.roots);
        let usage = KeyUsage::server_auth();
        certificate
            .verify_for_usage(algorithms, anchors, intermediates, now, usage, None, Some(&short))
            .map(drop)
            .map_err(|_| self.too_long())
    }

    fn too_long(&self) -> Error {
        let depth = self.depth.unwrap_or(u8::MAX);
        refused(format!("the chain of the upstream's certificate is longer than tls_verify_depth {depth}"))
    }
}

fn refused(why: impl Into<String>) -> Error {
    CertificateError::Other(OtherError(Arc::new(Refusal(why.into())))).into()
}

fn unknown_issuer(certificate: &Certificate<'_>) -> Error {
    if certificate.issuer != certificate.subject {
        return CertificateError::UnknownIssuer.into();
    }
    refused(
        "no trusted authority vouches for the certificate of the upstream, which is signed by itself: to trust it, name \
         it in ca_certificates of the Service, or in lua_ssl_trusted_certificate",
    )
}

/// Whether a certificate is valid at a time and may be a server's.
fn is_usable(certificate: &Certificate<'_>, now: i64) -> Result<(), Error> {
    if now < certificate.not_before {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > certificate.not_after {
        return Err(CertificateError::Expired.into());
    }
    let server = |id: &&[u8]| *id == SERVER_AUTHENTICATION || *id == ANY_PURPOSE;
    let for_servers = certificate.purposes().is_none_or(|all| all.iter().any(server));
    if !for_servers || certificate.key_usage().is_some_and(|usage| usage & FOR_TLS == 0) {
        return Err(refused("the certificate of the upstream is for another use than that of a server"));
    }
    if has_unknown_demands(certificate) {
        return Err(CertificateError::UnhandledCriticalExtension.into());
    }
    Ok(())
}

/// Whether it has an extension that has to be understood, and is not.
fn has_unknown_demands(certificate: &Certificate<'_>) -> bool {
    let known = [KEY_USAGE, ALTERNATIVE_NAMES, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE];
    certificate.all_extensions().iter().any(|it| it.critical && !known.contains(&it.id))
}

/// `serverAuth` and `anyExtendedKeyUsage`. (RFC 5280, section 4.2.1.12.)
const SERVER_AUTHENTICATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 37, 0];

/// The bits of key usages: signatures, encipherment and agreement of keys; signatures of certificates. (RFC 5280,
/// section 4.2.1.3; the first three are what OpenSSL asks of a server.)
const FOR_TLS: u8 = 0b1010_1000;
const FOR_CERTIFICATES: u8 = 0b0000_0100;

/// How many certificates of a chain are looked at, and how many signatures are verified to find one.
const MOST_INTERMEDIATES: usize = 8;
const MOST_CHECKS: usize = 32;

/// The search for a way from a certificate to an authority. webpki takes no certificates of version 1, and none of an
/// authority as a server's; OpenSSL takes both, and so does this.
struct Path<'a> {
    authorities: &'a [TrustAnchor<'static>],
    chain: &'a [Certificate<'a>],
    now: i64,
    /// How many signatures may still be verified.
    checks: usize,
}

impl Path<'_> {
    /// How many certificates stand between this one and an authority; none if there is no way.
    fn length_from(&mut self, certificate: &Certificate<'_>, below: &mut Vec<usize>) -> Option<usize> {
        let authorities = self.authorities;
        for anchor in authorities {
            // What limits names is not weighed here.
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

    fn is_signed(&mut self, certificate: &Certificate<'_>, key: &SubjectKey<'_>) -> bool {
        let Some(left) = self.checks.checked_sub(1) else { return false };
        self.checks = left;
        is_signed_by(certificate, key)
    }

    fn may_issue(&self, issuer: &Certificate<'_>, below: usize) -> bool {
        issuer.is_authority()
            && (issuer.not_before..=issuer.not_after).contains(&self.now)
            && issuer.most_below().is_none_or(|most| below <= most)
            && issuer.key_usage().is_none_or(|usage| usage & FOR_CERTIFICATES != 0)
            && issuer
                .purposes()
                .is_none_or(|all| all.iter().any(|id| [SERVER_AUTHENTICATION, ANY_PURPOSE].contains(id)))
            && issuer.extension(NAME_CONSTRAINTS).is_none()
            && !has_unknown_demands(issuer)
    }
}

/// The tags of alternative names. (RFC 5280, section 4.2.1.6.)
const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;

impl Trust {
    /// Whether a certificate is for a server of this name. One without alternative names is for those of its subject, as
    /// OpenSSL compares them.
    fn verify_name(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> Result<(), Error> {
        let certificate = Certificate::read(shown).ok_or(CertificateError::BadEncoding)?;
        let is_address = matches!(name, ServerName::IpAddress(_));
        if certificate.has_alternative_name(DNS_NAME)
            || (is_address && certificate.has_alternative_name(ADDRESS))
        {
            return verify_server_name(&ParsedCertificate::try_from(shown)?, name);
        }
        let names = certificate.common_names();
        if names.is_empty() || self.limits_names(&certificate, intermediates) {
            return Err(CertificateError::NotValidForName.into());
        }
        let host = name.to_str();
        if names.iter().any(|pattern| is_for(pattern, &host)) {
            return Ok(());
        }
        let names = names.join(", ");
        Err(refused(format!("the certificate of the upstream is not for {host} but for {names}")))
    }

    /// Whether an issuer may have limited the names of a certificate: webpki compares limits with alternative names alone.
    fn limits_names(&self, certificate: &Certificate<'_>, intermediates: &[CertificateDer<'_>]) -> bool {
        let mut issuers = vec![certificate.issuer];
        for der in intermediates {
            let Some(issuer) = Certificate::read(der) else { return true };
            if issuer.extension(NAME_CONSTRAINTS).is_some() {
                return true;
            }
            issuers.push(issuer.issuer);
        }
        let limited = |anchor: &TrustAnchor<'_>| {
            anchor.name_constraints.is_some() && issuers.contains(&&*anchor.subject)
        };
        self.authorities.anchors().iter().any(limited)
    }
}

/// Whether a name, whose first label may be `*`, stands for a host. (RFC 9525, section 6.3.)
fn is_for(pattern: &str, host: &str) -> bool {
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

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_names_stand_for_hosts() {
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
            assert_eq!(is_for(pattern, host), expected, "{pattern} {host}");
        }
    }
}
