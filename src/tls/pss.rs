//! RSA-PSS: hashes, TLS signature schemes, and parameters of RSA-PSS keys. (RFC 8446, section 4.2.3;
//! RFC 4055, section 3.1.)

use rustls::SignatureScheme;

use super::der::{INTEGER, OID, SEQUENCE, element, field, optional};

/// A hash algorithm of signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// All hash algorithms, the longest first.
    pub(super) const ALL: [Self; 3] = [Self::Sha512, Self::Sha384, Self::Sha256];

    /// The last byte of the object identifier, and the length of the hash in bytes.
    const fn id_and_length(self) -> (u8, u8) {
        match self {
            Self::Sha256 => (1, 32),
            Self::Sha384 => (2, 48),
            Self::Sha512 => (3, 64),
        }
    }
}

/// Prefix of the object identifiers of these hashes. (RFC 4055, section 2.1.)
const SHA_2: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2];

/// The scheme of PSS with an RSA key.
pub(super) const fn scheme(hash: Hash) -> SignatureScheme {
    match hash {
        Hash::Sha256 => SignatureScheme::RSA_PSS_SHA256,
        Hash::Sha384 => SignatureScheme::RSA_PSS_SHA384,
        Hash::Sha512 => SignatureScheme::RSA_PSS_SHA512,
    }
}

/// The scheme of PSS with an RSA-PSS key: `rsa_pss_pss_sha256` and so on.
pub(super) const fn scheme_of_pss_key(hash: Hash) -> SignatureScheme {
    match hash {
        Hash::Sha256 => SignatureScheme::Unknown(0x0809),
        Hash::Sha384 => SignatureScheme::Unknown(0x080a),
        Hash::Sha512 => SignatureScheme::Unknown(0x080b),
    }
}

/// The hash algorithms that the parameters of a key allow in TLS, in which the salt is as long as the hash.
pub(super) fn hashes(parameters: &[u8]) -> Vec<Hash> {
    if parameters.is_empty() {
        return Hash::ALL.to_vec();
    }
    allowed_hash(parameters).into_iter().collect()
}

fn allowed_hash(parameters: &[u8]) -> Option<Hash> {
    let (content, _) = element(SEQUENCE, parameters)?;
    let (hash, rest) = optional(field(0), content)?;
    let (mask, rest) = optional(field(1), rest)?;
    let (salt, _) = optional(field(2), rest)?;
    // The default is SHA-1, which no scheme of TLS 1.3 has.
    let hash = hash_of(hash?)?;
    let (mask, _) = element(SEQUENCE, mask?)?;
    let (_generator, mask_hash) = element(OID, mask)?;
    let salt = match salt {
        Some(salt) => element(INTEGER, salt)?.0,
        None => &[20],
    };
    (hash_of(mask_hash)? == hash && matches!(salt, [salt] if *salt <= hash.id_and_length().1)).then_some(hash)
}

/// The hash algorithm of an algorithm identifier.
fn hash_of(algorithm: &[u8]) -> Option<Hash> {
    let (id, _) = element(OID, element(SEQUENCE, algorithm)?.0)?;
    let last = *id.strip_prefix(&SHA_2)?.first()?;
    Hash::ALL.into_iter().find(|hash| hash.id_and_length().0 == last)
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
    fn parameters_restrict_hashes() {
        assert_eq!(hashes(&[]), Hash::ALL);
        assert_eq!(hashes(&parameters(1, 1, 32)), [Hash::Sha256]);
        assert_eq!(hashes(&parameters(3, 3, 20)), [Hash::Sha512]);
        assert_eq!(hashes(&parameters(1, 1, 33)), [], "TLS has no salt so long");
        assert_eq!(hashes(&parameters(1, 2, 32)), [], "one hash for the mask, another for the text");
        assert_eq!(hashes(&write(SEQUENCE, &[])), [], "SHA-1");
        assert_eq!(hashes(&[0x30, 5]), [], "no parameters");
    }
}
