//! Whom we trust: authorities that vouch for certificates.

use std::sync::{Arc, LazyLock};

use rustls::{RootCertStore, pki_types::TrustAnchor};

use super::{given::read, identity::chain};

/// Authorities. A clone is another handle to the same ones.
#[derive(Clone, Debug)]
pub struct Authorities(Arc<RootCertStore>);

/// Where systems keep the authorities that they trust; the first file there counts.
const SYSTEM: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The object identifier of the basic constraints, as a certificate encodes it. (RFC 5280, section 4.2.1.9)
const BASIC_CONSTRAINTS: &[u8] = &[6, 3, 0x55, 0x1d, 0x13];

/// `cA TRUE`, the same way.
const IS_AUTHORITY: &[u8] = &[1, 1, 0xff];

impl Authorities {
    /// The public ones, that browsers trust.
    #[must_use]
    pub fn public() -> Self {
        static PUBLIC: LazyLock<Arc<RootCertStore>> =
            LazyLock::new(|| Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }));
        Self(PUBLIC.clone())
    }

    /// Those of PEM texts, each of which is one certificate or more.
    ///
    /// # Errors
    /// A text holds none, or one that cannot be read.
    pub fn from_pem<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        for text in texts {
            for certificate in chain(text)? {
                store.add(certificate).map_err(|_| "what it encodes is no X.509 certificate".to_owned())?;
            }
        }
        Ok(Self(Arc::new(store)))
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
        let roots = several.iter().flat_map(|it| it.0.roots.iter().cloned()).collect();
        Self(Arc::new(RootCertStore { roots }))
    }

    /// What a system trusts may be too old to be read; the others count.
    fn of_system(text: &str) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(chain(text)?);
        Ok(Self(Arc::new(store)))
    }

    /// The authorities, as chains are built on them.
    #[must_use]
    pub const fn store(&self) -> &Arc<RootCertStore> {
        &self.0
    }

    /// Their names and keys.
    #[must_use]
    pub fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.0.roots
    }
}

impl PartialEq for Authorities {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.roots == other.0.roots
    }
}

impl Eq for Authorities {}

/// Whether the first certificate of a PEM text says that it is an authority's.
///
/// # Errors
/// There is none, or it cannot be read.
pub fn is_authority(text: &str) -> Result<bool, String> {
    let chain = chain(text)?;
    let der: &[u8] = chain.first().map(AsRef::as_ref).unwrap_or_default();
    let at = der.windows(BASIC_CONSTRAINTS.len()).position(|it| it == BASIC_CONSTRAINTS);
    // The value follows, within a few bytes: perhaps `critical`, then an octet string of a sequence.
    let value = at.and_then(|at| der.get(at + BASIC_CONSTRAINTS.len()..)).unwrap_or_default();
    let value = value.strip_prefix(IS_AUTHORITY).unwrap_or(value);
    Ok(value.get(4..7) == Some(IS_AUTHORITY))
}

#[cfg(test)]
mod tests {
    use super::{super::generated::signed_by_itself, *};

    #[test]
    fn authorities_are_told_apart() {
        let [one, other] = ["one", "other"].map(|name| signed_by_itself(&[name]).0);
        let read = |texts: &[&str]| Authorities::from_pem(texts.iter().copied()).unwrap();
        assert_eq!(read(&[&one]), read(&[&one]));
        assert_ne!(read(&[&one]), read(&[&other]));
        assert_eq!(Authorities::all(&[read(&[&one]), read(&[&other])]), read(&[&format!("{one}{other}")]));
        assert_eq!(Authorities::public(), Authorities::public());
        assert!(Authorities::public().anchors().len() > 50);
        let missing = Authorities::given(&["/nowhere/ca.pem".to_owned()]).unwrap_err();
        assert!(missing.starts_with("cannot read /nowhere/ca.pem: "), "{missing}");
        let none = Authorities::from_pem(["x"]).unwrap_err();
        assert_eq!(none, "there is no `-----BEGIN CERTIFICATE-----` in it");
    }

    #[test]
    fn an_authority_says_that_it_is_one() {
        use base64::prelude::{BASE64_STANDARD, Engine};
        use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
        let made = |is_ca| {
            let mut params = CertificateParams::default();
            params.is_ca = is_ca;
            let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
            let text = BASE64_STANDARD.encode(der);
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
