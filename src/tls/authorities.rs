//! Trusted certificate authorities.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, TrustAnchor},
};

use super::{
    pem,
    source::read_source,
    x509::{NAME_CONSTRAINTS, X509Certificate},
};

/// Store of trusted authorities. Clones share the store.
#[derive(Clone, Debug)]
pub struct CaStore(Arc<TrustedAuthorities>);

#[derive(Debug)]
struct TrustedAuthorities {
    store: Arc<RootCertStore>,
    /// End of the validity of each authority, in seconds since 1970; `i64::MAX` for those without a certificate.
    not_after: Vec<i64>,
    /// The certificates of authorities: a server may present one of them itself.
    certificates: Vec<Vec<u8>>,
}

/// Error for a text without a certificate.
pub(super) const MISSING: &str = "there is no `-----BEGIN CERTIFICATE-----` in it";

/// Files in which systems keep their trusted authorities; the first that exists is read.
const SYSTEM_FILES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl CaStore {
    /// The public authorities that browsers trust.
    #[must_use]
    pub fn public() -> Self {
        static PUBLIC: LazyLock<CaStore> = LazyLock::new(|| {
            let anchors = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
            CaStore::new(anchors.map(|anchor| (anchor, i64::MAX)).collect(), Vec::new())
        });
        PUBLIC.clone()
    }

    fn new(anchors: Vec<(TrustAnchor<'static>, i64)>, certificates: Vec<Vec<u8>>) -> Self {
        let (roots, not_after) = anchors.into_iter().unzip();
        Self(Arc::new(TrustedAuthorities {
            store: Arc::new(RootCertStore { roots }),
            not_after,
            certificates,
        }))
    }

    /// Reads PEM texts of one or more certificates each.
    ///
    /// # Errors
    /// If a text contains no certificate, or one that cannot be parsed.
    pub fn from_pem<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut all = Vec::new();
        for text in texts {
            let read = pem::certificates(text);
            if read.is_empty() {
                return Err(MISSING.to_owned());
            }
            for certificate in read {
                let certificate = certificate?;
                let anchor = anchor(&certificate).ok_or(pem::NOT_X509)?;
                all.push((anchor, certificate));
            }
        }
        Ok(Self::from_anchors(all))
    }

    fn from_anchors(all: Vec<((TrustAnchor<'static>, i64), Vec<u8>)>) -> Self {
        let (anchors, certificates) = all.into_iter().unzip();
        Self::new(anchors, certificates)
    }

    /// Reads the authorities of a setting: `system`, or a path, PEM or base64. (Kong: `lua_ssl_trusted_certificate`.)
    ///
    /// # Errors
    /// If one of them cannot be read, or the system has none.
    pub fn from_settings(names: &[String]) -> Result<Self, String> {
        let one = |name: &String| {
            if name != "system" {
                return Self::from_pem([&*read_source(name)?])
                    .map_err(|why| format!("invalid certificate: {why}"));
            }
            let found = SYSTEM_FILES.iter().find_map(|path| std::fs::read_to_string(path).ok());
            let text = found
                .ok_or_else(|| format!("the system has no authorities at {}", SYSTEM_FILES.join(", ")))?;
            Self::from_system(&text)
        };
        let all: Vec<Self> = names.iter().map(one).collect::<Result<_, String>>()?;
        Ok(Self::union(&all))
    }

    /// The union of several stores.
    #[must_use]
    pub fn union(stores: &[Self]) -> Self {
        let (mut anchors, mut certificates) = (Vec::new(), Vec::new());
        for store in stores {
            anchors.extend(store.0.store.roots.iter().cloned().zip(store.0.not_after.iter().copied()));
            certificates.extend(store.0.certificates.iter().cloned());
        }
        Self::new(anchors, certificates)
    }

    /// Reads the authorities of the system. Those that cannot be parsed, as they are too old, are left out.
    fn from_system(text: &str) -> Result<Self, String> {
        let read = pem::certificates(text);
        if read.is_empty() {
            return Err(MISSING.to_owned());
        }
        let usable =
            |certificate: Result<Vec<u8>, _>| certificate.ok().and_then(|der| Some((anchor(&der)?, der)));
        Ok(Self::from_anchors(read.into_iter().filter_map(usable).collect()))
    }

    /// The authorities as a store of rustls.
    #[must_use]
    pub fn store(&self) -> &Arc<RootCertStore> {
        &self.0.store
    }

    /// The names and keys of the authorities.
    #[must_use]
    pub fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.0.store.roots
    }

    /// The authorities that have not expired at a time, in seconds since 1970.
    pub(super) fn valid_at(&self, now: i64) -> Cow<'_, RootCertStore> {
        if self.0.not_after.iter().all(|end| *end >= now) {
            return Cow::Borrowed(&self.0.store);
        }
        let anchors = self.0.store.roots.iter().zip(&self.0.not_after);
        let valid = anchors.filter(|(_, end)| **end >= now).map(|(anchor, _)| anchor.clone());
        Cow::Owned(RootCertStore { roots: valid.collect() })
    }

    /// Whether the store contains exactly this certificate.
    pub(super) fn contains(&self, certificate: &[u8]) -> bool {
        self.0.certificates.iter().any(|own| own == certificate)
    }
}

/// The name and the key of an authority, and the end of its validity.
fn anchor(der: &[u8]) -> Option<(TrustAnchor<'static>, i64)> {
    let read = X509Certificate::read(der)?;
    if let Ok(anchor) = webpki::anchor_from_trusted_cert(&CertificateDer::from(der)) {
        return Some((anchor.to_owned(), read.not_after));
    }
    // Older certificates violate rules that do not matter for a trust anchor. One with name constraints is refused.
    read.extension(NAME_CONSTRAINTS).is_none().then(|| {
        let anchor = TrustAnchor {
            subject: read.subject.to_vec().into(),
            subject_public_key_info: read.key.content.to_vec().into(),
            name_constraints: None,
        };
        (anchor, read.not_after)
    })
}

impl PartialEq for CaStore {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.0.store.roots == other.0.store.roots
                && self.0.not_after == other.0.not_after
                && self.0.certificates == other.0.certificates)
    }
}

impl Eq for CaStore {}

/// Whether the first certificate of a PEM text is that of an authority.
///
/// # Errors
/// If there is none, or it cannot be parsed.
pub fn is_authority(text: &str) -> Result<bool, String> {
    let first = pem::certificates(text).into_iter().next().ok_or(MISSING)??;
    let certificate = X509Certificate::read(&first).ok_or(pem::NOT_X509)?;
    Ok(certificate.is_authority())
}

#[cfg(test)]
mod tests {
    use super::{super::generated::self_signed_pem, *};

    #[test]
    fn stores_with_the_same_certificates_are_equal() {
        let [one, other] = ["one", "other"].map(|name| self_signed_pem(&[name]).0);
        let read = |texts: &[&str]| CaStore::from_pem(texts.iter().copied()).unwrap();
        assert_eq!(read(&[&one]), read(&[&one]));
        assert_ne!(read(&[&one]), read(&[&other]));
        assert_eq!(CaStore::union(&[read(&[&one]), read(&[&other])]), read(&[&format!("{one}{other}")]));
        assert_eq!(CaStore::public(), CaStore::public());
        assert!(CaStore::public().anchors().len() > 50);
        let missing = CaStore::from_settings(&["/nowhere/ca.pem".to_owned()]).unwrap_err();
        assert!(missing.starts_with("cannot read /nowhere/ca.pem: "), "{missing}");
        let none = CaStore::from_pem(["x"]).unwrap_err();
        assert_eq!(none, "there is no `-----BEGIN CERTIFICATE-----` in it");
    }

    #[test]
    fn an_authority_has_basic_constraints() {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
        let made = |is_ca| {
            let mut params = CertificateParams::default();
            params.is_ca = is_ca;
            let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
            let text = crate::base64_codec::encode(der);
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        };
        for (is_ca, expected) in [
            (IsCa::NoCa, false),
            (IsCa::ExplicitNoCa, false),
            (IsCa::Ca(BasicConstraints::Unconstrained), true),
            (IsCa::Ca(BasicConstraints::Constrained(1)), true),
        ] {
            assert_eq!(is_authority(&made(is_ca)), Ok(expected));
        }
    }
}
