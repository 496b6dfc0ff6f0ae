//! Certificates by server name. (RFC 6066, section 3; Kong: SNI object.)

use std::{collections::HashMap, sync::Arc};

use rustls::{SignatureScheme, sign::CertifiedKey};

use super::CertifiedIdentity;

/// The certificates of a name: one, or one for each type of key.
type CertificateChoice = Arc<[CertifiedIdentity]>;

/// Certificates and the server names that they are for.
#[derive(Debug, Default)]
pub struct CertificateTable {
    exact: HashMap<Box<str>, CertificateChoice>,
    /// `*.b.example`, by `b.example`.
    suffixes: HashMap<Box<str>, CertificateChoice>,
    /// `a.b.*`, by `a.b`.
    prefixes: HashMap<Box<str>, CertificateChoice>,
    any: Option<CertificateChoice>,
}

impl CertificateTable {
    /// Adds `identities` for a name, `*.suffix`, `prefix.*`, or `*`.
    pub fn add(&mut self, name: &str, identities: Arc<[CertifiedIdentity]>) {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        if name == "*" {
            self.any = Some(identities);
        } else if let Some(suffix) = name.strip_prefix("*.") {
            self.suffixes.insert(suffix.into(), identities);
        } else if let Some(prefix) = name.strip_suffix(".*") {
            self.prefixes.insert(prefix.into(), identities);
        } else {
            self.exact.insert(name.into(), identities);
        }
    }

    /// The certificates for a server name: those of exactly this name; else of `*.parent`, one label deep; else of
    /// `prefix.*`; else of `*`.
    #[must_use]
    pub fn find(&self, name: Option<&str>) -> Option<&[CertifiedIdentity]> {
        let named = name.and_then(|name| {
            self.exact.get(name).or_else(|| self.by_suffix(name)).or_else(|| self.by_prefix(name))
        });
        named.or(self.any.as_ref()).map(|identities| &**identities)
    }

    fn by_suffix(&self, name: &str) -> Option<&CertificateChoice> {
        let (_, parent) = name.split_once('.')?;
        // A wildcard for a top-level domain matches nothing.
        parent.contains('.').then(|| self.suffixes.get(parent)).flatten()
    }

    fn by_prefix(&self, name: &str) -> Option<&CertificateChoice> {
        self.prefixes.get(name.rsplit_once('.')?.0)
    }
}

/// Selects the certificate whose key signs with the scheme that the client prefers; the first if none does.
#[must_use]
pub fn select_certificate(
    identities: &[CertifiedIdentity],
    schemes: &[SignatureScheme],
) -> Option<Arc<CertifiedKey>> {
    let first = identities.first()?;
    if identities.len() == 1 {
        return Some(first.certified().clone());
    }
    let signs_with = |scheme: &SignatureScheme| {
        let fits =
            |identity: &&CertifiedIdentity| identity.certified().key.choose_scheme(&[*scheme]).is_some();
        identities.iter().find(fits)
    };
    Some(schemes.iter().find_map(signs_with).unwrap_or(first).certified().clone())
}

#[cfg(test)]
mod tests {
    use super::{super::generated::self_signed_pem, *};

    const NAMES: [&str; 7] =
        ["a.example.test", "*.example.test", "www.shop.*", "a.example.*", "UP.test.", "*.com", "single"];

    /// Checks which of the names is found for a server name.
    #[track_caller]
    fn check(names: &[&str], asked: Option<&str>, expected: Option<&str>) {
        let mut certificates = CertificateTable::default();
        let shown: Vec<CertificateChoice> = names
            .iter()
            .map(|name| {
                let (certificate, key) = self_signed_pem(&["x"]);
                let shown: CertificateChoice =
                    [CertifiedIdentity::from_pem(&certificate, &key).unwrap()].into();
                certificates.add(name, shown.clone());
                shown
            })
            .collect();
        let found = certificates.find(asked);
        let found = found.and_then(|found| shown.iter().position(|identities| **identities == *found));
        assert_eq!(found.map(|n| names[n]), expected, "{asked:?}");
    }

    #[test]
    fn the_most_specific_name_is_found() {
        for (asked, expected) in [
            ("a.example.test", Some("a.example.test")),
            ("b.example.test", Some("*.example.test")),
            ("x.b.example.test", None),
            ("example.test", None),
            ("www.shop.de", Some("www.shop.*")),
            ("www.shop.co.uk", None),
            ("a.example.com", Some("a.example.*")),
            ("up.test", Some("UP.test.")),
            ("x.com", None),
            ("single", Some("single")),
        ] {
            check(&NAMES, Some(asked), expected);
        }
        check(&NAMES, None, None);
    }

    #[test]
    fn a_certificate_may_be_the_default() {
        check(&["a.test", "*"], Some("a.test"), Some("a.test"));
        check(&["a.test", "*"], Some("b.test"), Some("*"));
        check(&["a.test", "*"], None, Some("*"));
    }
}
