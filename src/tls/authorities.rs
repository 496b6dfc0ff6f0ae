//! Whom we trust: authorities that vouch for certificates.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, TrustAnchor},
};

use super::{
    given::read,
    pem,
    x509::{Certificate, NAME_CONSTRAINTS},
};

/// Authorities. A clone is another handle to the same ones.
#[derive(Clone, Debug)]
pub struct CaStore(Arc<Trusted>);

#[derive(Debug)]
struct Trusted {
    store: Arc<RootCertStore>,
    /// Until when each of the store is valid, in seconds since 1970; those that came without their certificate have no end.
    ends: Vec<i64>,
    /// The certificates that came: each vouches for itself, too.
    certificates: Vec<Vec<u8>>,
}

/// What is said of a text without a certificate.
pub(super) const MISSING: &str = "there is no `-----BEGIN CERTIFICATE-----` in it";

/// Where systems keep the authorities that they trust; the first file there counts.
const SYSTEM: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

impl CaStore {
    /// The public ones, that browsers trust.
    #[must_use]
    pub fn public() -> Self {
        static PUBLIC: LazyLock<CaStore> = LazyLock::new(|| {
            let anchors = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
            CaStore::new(anchors.map(|anchor| (anchor, i64::MAX)).collect(), Vec::new())
        });
        PUBLIC.clone()
    }

    fn new(anchors: Vec<(TrustAnchor<'static>, i64)>, certificates: Vec<Vec<u8>>) -> Self {
        let (roots, ends) = anchors.into_iter().unzip();
        Self(Arc::new(Trusted { store: Arc::new(RootCertStore { roots }), ends, certificates }))
    }

    /// Those of PEM texts, each of which is one certificate or more.
    ///
    /// # Errors
    /// A text holds none, or one that cannot be read.
    pub fn from_pem<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut all = Vec::new();
        for text in texts {
            let read = pem::certificates(text);
            if read.is_empty() {
                return Err(MISSING.to_owned());
            }
            for certificate in read {
                let certificate = certificate?;
                let anchor = anchor(&certificate).ok_or("what it encodes is no X.509 certificate")?;
                all.push((anchor, certificate));
            }
        }
        Ok(Self::of(all))
    }

    fn of(all: Vec<((TrustAnchor<'static>, i64), Vec<u8>)>) -> Self {
        let (anchors, certificates) = all.into_iter().unzip();
        Self::new(anchors, certificates)
    }

    /// Those that a setting names: `system`, or what can be given as a certificate. (Kong:
    /// `lua_ssl_trusted_certificate`.)
    ///
    /// # Errors
    /// One of them cannot be read, or the system has none.
    pub fn given(names: &[String]) -> Result<Self, String> {
        let one = |name: &String| {
            if name != "system" {
                return Self::from_pem([&*read(name)?]).map_err(|why| format!("invalid certificate: {why}"));
            }
            let found = SYSTEM.iter().find_map(|path| std::fs::read_to_string(path).ok());
            let text =
                found.ok_or_else(|| format!("the system has no authorities at {}", SYSTEM.join(", ")))?;
            Self::of_system(&text)
        };
        let all: Vec<Self> = names.iter().map(one).collect::<Result<_, String>>()?;
        Ok(Self::all(&all))
    }

    /// All of several.
    #[must_use]
    pub fn all(several: &[Self]) -> Self {
        let (mut anchors, mut certificates) = (Vec::new(), Vec::new());
        for it in several {
            anchors.extend(it.0.store.roots.iter().cloned().zip(it.0.ends.iter().copied()));
            certificates.extend(it.0.certificates.iter().cloned());
        }
        Self::new(anchors, certificates)
    }

    /// What a system trusts may be too old to be read; the others count.
    fn of_system(text: &str) -> Result<Self, String> {
        let read = pem::certificates(text);
        if read.is_empty() {
            return Err(MISSING.to_owned());
        }
        let usable = |it: Result<Vec<u8>, _>| it.ok().and_then(|der| Some((anchor(&der)?, der)));
        Ok(Self::of(read.into_iter().filter_map(usable).collect()))
    }

    /// The authorities, as chains are built on them.
    #[must_use]
    pub fn store(&self) -> &Arc<RootCertStore> {
        &self.0.store
    }

    /// Their names and keys.
    #[must_use]
    pub fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.0.store.roots
    }

    /// Those that have not expired at a time, in seconds since 1970: others vouch for nothing.
    pub(super) fn valid(&self, now: i64) -> Cow<'_, RootCertStore> {
        if self.0.ends.iter().all(|end| *end >= now) {
            return Cow::Borrowed(&self.0.store);
        }
        let anchors = self.0.store.roots.iter().zip(&self.0.ends);
        let valid = anchors.filter(|(_, end)| **end >= now).map(|(anchor, _)| anchor.clone());
        Cow::Owned(RootCertStore { roots: valid.collect() })
    }

    /// Whether this very certificate is among them.
    pub(super) fn contains(&self, certificate: &[u8]) -> bool {
        self.0.certificates.iter().any(|it| it == certificate)
    }
}

/// The name and the key of an authority, and until when it is valid.
fn anchor(der: &[u8]) -> Option<(TrustAnchor<'static>, i64)> {
    let read = Certificate::read(der)?;
    if let Ok(anchor) = webpki::anchor_from_trusted_cert(&CertificateDer::from(der)) {
        return Some((anchor.to_owned(), read.not_after));
    }
    // Older certificates break rules that an authority's own need not keep. One that limits names is not guessed at.
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
                && self.0.ends == other.0.ends
                && self.0.certificates == other.0.certificates)
    }
}

impl Eq for CaStore {}

/// Whether the first certificate of a PEM text says that it is an authority's.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn is_authority(text: &str) -> Result<bool, String> {
    let first = pem::certificates(text).into_iter().next().ok_or(MISSING)??;
    let certificate = Certificate::read(&first).ok_or("what it encodes is no X.509 certificate")?;
    Ok(certificate.is_authority())
}

#[cfg(test)]
mod tests {
    use super::{super::generated::signed_by_itself, *};

    #[test]
    fn authorities_are_told_apart() {
        let [one, other] = ["one", "other"].map(|name| signed_by_itself(&[name]).0);
        let read = |texts: &[&str]| CaStore::from_pem(texts.iter().copied()).unwrap();
        assert_eq!(read(&[&one]), read(&[&one]));
        assert_ne!(read(&[&one]), read(&[&other]));
        assert_eq!(CaStore::all(&[read(&[&one]), read(&[&other])]), read(&[&format!("{one}{other}")]));
        assert_eq!(CaStore::public(), CaStore::public());
        assert!(CaStore::public().anchors().len() > 50);
        let missing = CaStore::given(&["/nowhere/ca.pem".to_owned()]).unwrap_err();
        assert!(missing.starts_with("cannot read /nowhere/ca.pem: "), "{missing}");
        let none = CaStore::from_pem(["x"]).unwrap_err();
        assert_eq!(none, "there is no `-----BEGIN CERTIFICATE-----` in it");
    }

    #[test]
    fn an_authority_says_that_it_is_one() {
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
