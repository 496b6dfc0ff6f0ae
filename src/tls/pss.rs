//! RSA-PSS: hashes, schemes of TLS, and the parameters of keys that are for nothing else. (RFC 8446, section 4.2.3;
//! RFC 4055, section 3.1.)

use rustls::SignatureScheme;

use super::der::{INTEGER, OID, SEQUENCE, element, field, optional};

/// A hash that signatures are made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// All of them, the longest first.
    pub(super) const ALL: [Self; 3] = [Self::Sha512, Self::Sha384, Self::Sha256];

    /// The last byte of its object identifier, and its length.
    const fn row(self) -> (u8, u8) {
        match self {
            Self::Sha256 => (1, 32),
            Self::Sha384 => (2, 48),
            Self::Sha512 => (3, 64),
        }
    }
}

/// What the object identifiers of these hashes begin with. (RFC 4055, section 2.1.)
const SHA_2: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];

/// The scheme of PSS with a key of plain RSA.
pub(super) const fn scheme(hash: Hash) -> SignatureScheme {
    match hash {
        Hash::Sha256 => SignatureScheme::RSA_PSS_SHA256,
        Hash::Sha384 => SignatureScheme::RSA_PSS_SHA384,
        Hash::Sha512 => SignatureScheme::RSA_PSS_SHA512,
    }
}

/// The scheme of PSS with a key that is for nothing else: `rsa_pss_pss_sha256` and its like.
pub(super) const fn scheme_of_pss_key(hash: Hash) -> SignatureScheme {
    match hash {
        Hash::Sha256 => SignatureScheme::Unknown(0x0809),
        Hash::Sha384 => SignatureScheme::Unknown(0x080a),
        Hash::Sha512 => SignatureScheme::Unknown(0x080b),
    }
}

/// The hashes that the parameters of a key allow in TLS, where the salt is as long as the hash.
pub(super) fn hashes(parameters: &[u8]) -> Vec<Hash> {
    if parameters.is_empty() {
        return Hash::ALL.to_vec();
    }
    allowed(parameters).into_iter().collect()
}

fn allowed(parameters: &[u8]) -> Option<Hash> {
    let (content, _) = element(SEQUENCE, parameters)?;
    let (hash, rest) = optional(field(0), content)?;
    let (mask, rest) = optional(field(1), rest)?;
    let (salt, _) = optional(field(2), rest)?;
    // SHA-1 stands for what is left out, and no scheme has that.
    let hash = named(hash?)?;
    let (mask, _) = element(SEQUENCE, mask?)?;
    let (_generator, of) = element(OID, mask)?;
    let salt = match salt {
        Some(salt) => element(INTEGER, salt)?.0,
        None => &[20],
    };
    (named(of)? == hash && matches!(salt, [salt] if *salt <= hash.row().1)).then_some(hash)
}

/// The hash that an algorithm names.
fn named(algorithm: &[u8]) -> Option<Hash> {
    let (id, _) = element(OID, element(SEQUENCE, algorithm)?.0)?;
    let last = *id.strip_prefix(&SHA_2)?.first()?;
    Hash::ALL.into_iter().find(|hash| hash.row().0 == last)
}

#[cfg(test)]
mod tests {
    use super::{super::der::write, *};

    /// Parameters of a hash, a hash of the mask, and a length of salt.
    fn parameters(hash: u8, mask: u8, salt: u8) -> Vec<u8> {
        let name = |last| write(SEQUENCE, &[&write(OID, &[&SHA_2, &[last]])]);
        let mask = write(SEQUENCE, &[&write(OID, &[&[1]]), &name(mask)]);
        let parts = [
            write(field(0), &[&name(hash)]),
            write(field(1), &[&mask]),
            write(field(2), &[&write(INTEGER, &[&[salt]])]),
        ];
        write(SEQUENCE, &[&parts.concat()])
    }

    #[test]
    fn parameters_limit_hashes() {
        assert_eq!(hashes(&[]), Hash::ALL);
        assert_eq!(hashes(&parameters(1, 1, 32)), [Hash::Sha256]);
        assert_eq!(hashes(&parameters(3, 3, 20)), [Hash::Sha512]);
        assert_eq!(hashes(&parameters(1, 1, 33)), [], "TLS has no salt so long");
        assert_eq!(hashes(&parameters(1, 2, 32)), [], "one hash for the mask, another for the text");
        assert_eq!(hashes(&write(SEQUENCE, &[])), [], "SHA-1");
        assert_eq!(hashes(&[0x30, 5]), [], "no parameters");
    }
}
