//! Public key from PEM. (RFC 7468, section 13; RFC 5280, section 4.1.)

use rustls::pki_types::{
    AlgorithmIdentifier, SubjectPublicKeyInfoDer, alg_id,
    pem::{self, PemObject},
};

use super::der::{BIT_STRING, INTEGER, SEQUENCE, bit_length, element};

/// The error of a text without a public key.
pub(super) const MISSING: &str = "there is no `-----BEGIN PUBLIC KEY-----` in it";

/// A public key that verifies signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The algorithm.
    pub kind: PublicKeyKind,
    /// For RSA an `RSAPublicKey` (RFC 8017, appendix A.1.1), for a curve its point.
    pub bits: Vec<u8>,
}

/// Supported algorithms of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKeyKind {
    /// RSA, of 2048 to 8192 bits.
    Rsa,
    /// The curve P-256.
    P256,
    /// The curve P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl PublicKey {
    /// Reads a `-----BEGIN PUBLIC KEY-----`.
    ///
    /// # Errors
    /// A text that says why it is not valid.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let info = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|error| match error {
            pem::Error::NoItemsFound => MISSING.to_owned(),
            _ => "it is no PEM".to_owned(),
        })?;
        let (algorithm, bits) = parts(&info).ok_or("it is no SubjectPublicKeyInfo")?;
        let kind = KINDS.iter().find(|(_, id)| id.as_ref() == algorithm).map(|(kind, _)| *kind);
        let kind = kind.ok_or("it is of another kind than RSA, P-256, P-384 and Ed25519")?;
        let broken = || format!("it is no public key of {}", kind.name());
        match kind {
            PublicKeyKind::Rsa => {
                let length = modulus_bits(bits).ok_or_else(broken)?;
                if !(2048..=8192).contains(&length) {
                    return Err(format!("it is an RSA key of {length} bits; 2048 to 8192 are allowed"));
                }
            }
            PublicKeyKind::P256 if bits.len() != 65 || bits.first() != Some(&UNCOMPRESSED) => {
                return Err(broken());
            }
            PublicKeyKind::P384 if bits.len() != 97 || bits.first() != Some(&UNCOMPRESSED) => {
                return Err(broken());
            }
            PublicKeyKind::Ed25519 if bits.len() != 32 => return Err(broken()),
            _ => (),
        }
        Ok(Self { kind, bits: bits.to_vec() })
    }
}

impl PublicKeyKind {
    /// The name for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Ed25519 => "Ed25519",
        }
    }
}

const KINDS: [(PublicKeyKind, AlgorithmIdentifier); 4] = [
    (PublicKeyKind::Rsa, alg_id::RSA_ENCRYPTION),
    (PublicKeyKind::P256, alg_id::ECDSA_P256),
    (PublicKeyKind::P384, alg_id::ECDSA_P384),
    (PublicKeyKind::Ed25519, alg_id::ED25519),
];

/// First byte of an uncompressed point. (SEC 1, section 2.3.3.)
const UNCOMPRESSED: u8 = 4;

/// The algorithm and the bits of a `SubjectPublicKeyInfo`.
fn parts(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (info, rest) = element(SEQUENCE, der)?;
    let (algorithm, key) = element(SEQUENCE, info)?;
    let (bits, after) = element(BIT_STRING, key)?;
    // The number of unused bits: a key consists of whole bytes.
    let bits = bits.strip_prefix(&[0])?;
    (rest.is_empty() && after.is_empty()).then_some((algorithm, bits))
}

/// The length of the modulus of an `RSAPublicKey`, in bits.
fn modulus_bits(der: &[u8]) -> Option<usize> {
    let (key, rest) = element(SEQUENCE, der)?;
    let (modulus, exponent) = element(INTEGER, key)?;
    let (_, after) = element(INTEGER, exponent)?;
    let stripped = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let is_valid = stripped.first().is_some_and(|first| *first > 0) && rest.is_empty() && after.is_empty();
    is_valid.then(|| bit_length(modulus))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_not_a_key_are_errors() {
        let why = |text: &str| PublicKey::from_pem(text).unwrap_err();
        let pem = |base64: &str| format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n");
        assert_eq!(why("secret"), MISSING);
        assert_eq!(why("-----BEGIN PUBLIC KEY-----\nMAA=\n"), "it is no PEM");
        assert_eq!(why(&pem("MAA=")), "it is no SubjectPublicKeyInfo");
        let unused_bits = "MAswBQYDK2VwAwIBAQ==";
        assert_eq!(why(&pem(unused_bits)), "it is no SubjectPublicKeyInfo");
        let ed448 = "MAswBQYDK2VxAwIAAQ==";
        assert_eq!(why(&pem(ed448)), "it is of another kind than RSA, P-256, P-384 and Ed25519");
        let too_short = "MAswBQYDK2VwAwIAAQ==";
        assert_eq!(why(&pem(too_short)), "it is no public key of Ed25519");
    }
}
