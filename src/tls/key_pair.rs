//! Public and private keys that are stored, and not used here: checked as OpenSSL does when it loads them.

use ring::{
    agreement::{Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    rand::SystemRandom,
};

use super::{
    curve::Curve,
    der::{SEQUENCE, element},
    pem,
    private_key::{KeyNumbers, KeyType, PrivateKey, modulus},
    public_key::MISSING,
    signing::{SigningFault, prepare},
    x509::SubjectKey,
};

/// Error of a pair of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPairFault {
    /// The public key cannot be parsed, and why.
    Public(String),
    /// The private key cannot be parsed, and why.
    Private(String),
    /// The keys do not belong together.
    Mismatch,
}

/// Checks a public key, a private key, or a pair of them, in PEM.
///
/// # Errors
/// If one of them cannot be parsed, or they do not match.
pub fn check_key_pair(public: Option<&str>, private: Option<&str>) -> Result<(), KeyPairFault> {
    let public = public.map(public_key).transpose().map_err(KeyPairFault::Public)?;
    let public = public.as_deref().and_then(subject_key);
    let private = private.map(PrivateKey::from_pem).transpose().map_err(KeyPairFault::Private)?;
    match (public, private) {
        (Some(public), Some(private)) if !is_pair(&private, &public) => Err(KeyPairFault::Mismatch),
        _ => Ok(()),
    }
}

/// Whether two coordinates are those of a point of the named curve: P-256, P-384 or P-521. (RFC 7518, section 6.2.1.)
#[must_use]
pub fn is_point_of(curve: &str, x: &[u8], y: &[u8]) -> bool {
    let known = [Curve::P256, Curve::P384, Curve::P521].into_iter().find(|known| known.name() == curve);
    let (Some(curve), Some(width)) = (known, known.and_then(Curve::width)) else { return false };
    let padded = |coordinate: &[u8]| {
        let zeros = width.checked_sub(coordinate.len())?;
        Some([&vec![0; zeros], coordinate].concat())
    };
    let (Some(x), Some(y)) = (padded(x), padded(y)) else { return false };
    has_point(curve, &[&[4][..], &x, &y].concat())
}

/// Parses the first public key of a PEM text, and returns its DER.
fn public_key(text: &str) -> Result<Vec<u8>, String> {
    let blocks = pem::blocks(text);
    let Some(block) = blocks.into_iter().find(|block| block.label == "PUBLIC KEY") else {
        return Err(MISSING.to_owned());
    };
    let der = block.bytes?;
    match subject_key(&der) {
        Some(key) if is_sound(&key) => Ok(der),
        _ => Err("what it encodes is no public key".to_owned()),
    }
}

fn subject_key(der: &[u8]) -> Option<SubjectKey<'_>> {
    element(SEQUENCE, der).and_then(|(content, _)| SubjectKey::read(content))
}

/// Whether the bits of a public key are such as its algorithm has.
fn is_sound(key: &SubjectKey<'_>) -> bool {
    let Some((kind, parameters)) = KeyType::read(key.algorithm) else { return false };
    match kind {
        KeyType::Rsa | KeyType::RsaPss => {
            modulus(key.bits).is_some_and(|(modulus, exponent)| !modulus.is_empty() && !exponent.is_empty())
        }
        KeyType::Ec => has_point(Curve::read(parameters), key.bits),
        KeyType::Ed25519 => key.bits.len() == 32,
        KeyType::Ed448 => key.bits.len() == 57,
        KeyType::Dsa | KeyType::Other => !key.bits.is_empty(),
    }
}

/// Whether an encoded point is on a curve. Of a curve that no library here knows, only the length is checked, and of one
/// coordinate, too.
fn has_point(curve: Curve, point: &[u8]) -> bool {
    let Some(width) = curve.width() else { return !point.is_empty() };
    match point {
        [2 | 3, x @ ..] => x.len() == width,
        [4 | 6 | 7, coordinates @ ..] if coordinates.len() == 2 * width => {
            let point = [&[4], coordinates].concat();
            match curve {
                Curve::P256 => agrees(&ECDH_P256, &point),
                Curve::P384 => agrees(&ECDH_P384, &point),
                Curve::P521 => p521::PublicKey::from_sec1_bytes(&point).is_ok(),
                Curve::P224 | Curve::Secp256k1 | Curve::Other => true,
            }
        }
        _ => false,
    }
}

/// *ring* checks a point only where it uses it.
fn agrees(algorithm: &'static Algorithm, point: &[u8]) -> bool {
    EphemeralPrivateKey::generate(algorithm, &SystemRandom::new())
        .and_then(|key| agree_ephemeral(key, &UnparsedPublicKey::new(algorithm, point), |_| ()))
        .is_ok()
}

fn is_pair(private: &PrivateKey, public: &SubjectKey<'_>) -> bool {
    if private.differs_from(public) {
        return false;
    }
    // The public number is a part of every other private key, and the same.
    let is_compared = !matches!(private.numbers, KeyNumbers::Ec(_, None) | KeyNumbers::Seed(_));
    is_compared || !matches!(prepare(private, public), Err(SigningFault::Mismatch))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            der::{BIT_STRING, OID, write},
            generated::self_signed_pem,
            x509::X509Certificate,
        },
        *,
    };
    use crate::base64_codec;

    /// The PEM text of a public key with this content.
    fn public_pem(content: &[u8]) -> String {
        let body = base64_codec::encode(write(SEQUENCE, &[content]));
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
    }

    /// The public and the private key of a new certificate.
    fn pair() -> (String, String) {
        let (certificate, private) = self_signed_pem(&["a.example"]);
        let der = pem::certificates(&certificate).remove(0).unwrap();
        (public_pem(X509Certificate::read(&der).unwrap().key.content), private)
    }

    #[test]
    fn a_pair_is_sound_and_belongs_together() {
        let (public, private) = pair();
        let (of_another, private_of_another) = pair();
        let rsa = include_str!("../../tests/end_to_end/rsa-8192.key.pem");
        let none = || KeyPairFault::Public(MISSING.to_owned());
        for (case, keys, expected) in [
            ("both", (Some(&*public), Some(&*private)), Ok(())),
            ("public", (Some(&*public), None), Ok(())),
            ("private", (None, Some(&*private)), Ok(())),
            ("of another", (Some(&*of_another), Some(&*private)), Err(KeyPairFault::Mismatch)),
            ("the other way", (Some(&*public), Some(&*private_of_another)), Err(KeyPairFault::Mismatch)),
            ("another type", (Some(&*public), Some(rsa)), Err(KeyPairFault::Mismatch)),
            ("changed places", (Some(&*private), Some(&*public)), Err(none())),
            ("a text", (Some("secret"), None), Err(none())),
        ] {
            assert_eq!(check_key_pair(keys.0, keys.1), expected, "{case}");
        }
        assert!(matches!(check_key_pair(None, Some("secret")), Err(KeyPairFault::Private(_))));
    }

    #[test]
    fn a_public_key_that_its_algorithm_has_not_is_refused() {
        let ed25519 = write(OID, &[&[0x2b, 0x65, 0x70]]);
        let p256 = [
            write(OID, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]]),
            write(OID, &[&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]]),
        ]
        .concat();
        let read = |algorithm: &[u8], bits: &[u8]| {
            let key = [write(SEQUENCE, &[algorithm]), write(BIT_STRING, &[&[0], bits])].concat();
            check_key_pair(Some(&public_pem(&key)), None).is_ok()
        };
        assert!(read(&ed25519, &[7; 32]));
        assert!(!read(&ed25519, &[7; 31]));
        assert!(read(&p256, &[&[2][..], &[7; 32]].concat()));
        assert!(!read(&p256, &[&[4][..], &[7; 64]].concat()), "a point that is not on the curve");
        assert!(!read(&p256, &[]));
        assert!(!read(&[], &[7; 32]));
        assert!(!read(&write(OID, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]]), &[7; 32]));
    }

    #[test]
    fn a_point_is_on_its_curve() {
        let (public, _) = pair();
        let der = pem::blocks(&public).remove(0).bytes.unwrap();
        let (x, y) = subject_key(&der).unwrap().bits[1..].split_at(32);
        assert!(is_point_of("P-256", x, y));
        assert!(!is_point_of("P-256", y, x));
        assert!(!is_point_of("P-384", x, y));
        assert!(!is_point_of("P-1", x, y));
        assert!(!is_point_of("P-256", &[1; 33], y));
        for curve in ["P-256", "P-384", "P-521"] {
            assert!(!is_point_of(curve, &[1], &[1]), "{curve}");
        }
    }
}
