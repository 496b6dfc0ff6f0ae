//! Signing with private keys: RSA, the curves P-256, P-384 and P-521, and Ed25519, also with those that *ring* does not
//! support.

use std::{fmt, sync::Arc};

use p521::ecdsa::signature::Signer as _;
use ring::{
    rand::SystemRandom,
    signature::{self as scheme, RsaEncoding, RsaKeyPair},
};
use rsa::sha2::{Sha256, Sha384, Sha512};
use rustls::{
    Error, SignatureAlgorithm, SignatureScheme,
    crypto::ring::sign::{any_ecdsa_type, any_eddsa_type},
    pki_types::PrivatePkcs8KeyDer,
    sign::{Signer, SigningKey},
};

use super::{
    curve::Curve,
    der::{BIT_STRING, INTEGER, OCTET_STRING, OID, SEQUENCE, bit_length, field, write},
    private_key::{KeyNumbers, KeyType, PrivateKey, RsaNumbers, rsa_numbers},
    pss::{self, Hash},
    x509::SubjectKey,
};

/// Error of preparing a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SigningFault {
    /// The key does not match the certificate.
    Mismatch,
    /// The key is not supported, and why.
    Unsupported(String),
}

/// A key that is ready to sign, and whether a signature takes over a few milliseconds.
pub(super) struct PreparedKey {
    pub(super) key: Arc<dyn SigningKey>,
    pub(super) is_slow: bool,
}

/// Supported sizes of RSA keys, in bits. OpenSSL's security level 2, Kong's default, refuses shorter ones; a signature with
/// a longer one takes most of a second.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The largest size, in bits, with which a signature takes at most a few milliseconds.
const FAST_BITS: usize = 4096;

const SERVED: &str = "TLS is served with keys of RSA (2048 to 8192 bits), P-256, P-384, P-521 and Ed25519";

/// Prepares a key for signatures, and checks that it matches its certificate.
pub(super) fn prepare(key: &PrivateKey, certified: &SubjectKey<'_>) -> Result<PreparedKey, SigningFault> {
    if key.differs_from(certified) {
        return Err(SigningFault::Mismatch);
    }
    let unsupported = |what: &str| Err(SigningFault::Unsupported(format!("{what}; {SERVED}")));
    match &key.numbers {
        KeyNumbers::Rsa(der) => {
            let numbers = rsa_numbers(der).ok_or(SigningFault::Mismatch)?;
            let bits = bit_length(numbers.modulus);
            if !RSA_BITS.contains(&bits) {
                let limit = if bits < 2048 { ", which OpenSSL's security level 2 refuses, too" } else { "" };
                return unsupported(&format!("its key is of RSA with {bits} bits{limit}"));
            }
            let hashes =
                if key.kind == KeyType::RsaPss { pss::hashes(&key.parameters) } else { Hash::ALL.to_vec() };
            if hashes.is_empty() {
                return unsupported("its key of RSA-PSS is for signatures that TLS does not know");
            }
            let Some(backend) = RsaBackend::new(der, &numbers) else {
                return unsupported("the numbers of its key of RSA do not belong together");
            };
            let is_slow = bits > FAST_BITS;
            let schemes = schemes(key.kind, &hashes);
            let key = RsaKey { backend: Arc::new(backend), schemes, pss_only: key.kind == KeyType::RsaPss };
            Ok(PreparedKey { key: Arc::new(key), is_slow })
        }
        KeyNumbers::Ec(number, _) => prepare_curve(Curve::read(&key.parameters), number, certified),
        KeyNumbers::Seed(seed) => {
            let pair =
                scheme::Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| SigningFault::Mismatch)?;
            if scheme::KeyPair::public_key(&pair).as_ref() != certified.bits {
                return Err(SigningFault::Mismatch);
            }
            let algorithm = write(SEQUENCE, &[&write(OID, &[TYPE_ED25519])]);
            let der = pkcs8(&algorithm, &write(OCTET_STRING, &[seed]));
            let key = any_eddsa_type(&PrivatePkcs8KeyDer::from(der)).map_err(|_| SigningFault::Mismatch)?;
            Ok(PreparedKey { key, is_slow: false })
        }
        KeyNumbers::Dsa(_) | KeyNumbers::Unknown => {
            unsupported(&format!("its key is of {}", key.kind.name()))
        }
    }
}

/// Prepares a key of a curve, and checks that the point of the certificate is its own.
fn prepare_curve(
    curve: Curve,
    number: &[u8],
    certified: &SubjectKey<'_>,
) -> Result<PreparedKey, SigningFault> {
    let unsupported = |what: &str| Err(SigningFault::Unsupported(format!("its key is of {what}; {SERVED}")));
    let (Some(width), Some(id)) = (curve.width(), curve.id()) else {
        return unsupported("another curve");
    };
    // Leading zeros may be missing, or may be too many.
    let number = super::der::magnitude(number);
    let Some(zeros) = width.checked_sub(number.len()) else { return Err(SigningFault::Mismatch) };
    let number = [&vec![0; zeros], number].concat();
    let key: Arc<dyn SigningKey> = match curve {
        Curve::P256 | Curve::P384 => {
            if certified.bits.first() != Some(&4) {
                return unsupported(&format!("{}, written with one coordinate", curve.name()));
            }
            let names = [write(OID, &[TYPE_EC]), write(OID, &[id])].concat();
            let point = write(field(1), &[&write(BIT_STRING, &[&[0], certified.bits])]);
            let key = [write(INTEGER, &[&[1]]), write(OCTET_STRING, &[&number]), point].concat();
            let der = pkcs8(&write(SEQUENCE, &[&names]), &write(SEQUENCE, &[&key]));
            // *ring* checks that number and point match.
            any_ecdsa_type(&PrivatePkcs8KeyDer::from(der).into()).map_err(|_| SigningFault::Mismatch)?
        }
        Curve::P521 => {
            let key = p521::ecdsa::SigningKey::from_slice(&number).map_err(|_| SigningFault::Mismatch)?;
            let own = p521::ecdsa::VerifyingKey::from_sec1_bytes(certified.bits);
            if own.ok().as_ref() != Some(key.verifying_key()) {
                return Err(SigningFault::Mismatch);
            }
            Arc::new(P521Key(Arc::new(key)))
        }
        _ => return unsupported(curve.name()),
    };
    Ok(PreparedKey { key, is_slow: false })
}

/// The object identifier of a key of an elliptic curve. (RFC 5480, section 2.1.1.)
const TYPE_EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];

/// The object identifier of an Ed25519 key. (RFC 8410, section 3.)
const TYPE_ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// A `PrivateKeyInfo`. (RFC 5208, section 5.)
fn pkcs8(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    write(SEQUENCE, &[&write(INTEGER, &[&[0]]), algorithm, &write(OCTET_STRING, &[key])])
}

/// An RSA key.
struct RsaKey {
    backend: Arc<RsaBackend>,
    /// Supported schemes, in the order of preference.
    schemes: Vec<(SignatureScheme, Hash, Padding)>,
    pss_only: bool,
}

/// Implementation for an RSA key: *ring* for most keys, slower code for others (more than 4096 bits, small public
/// exponents, primes of different lengths).
enum RsaBackend {
    Ring(Box<RsaKeyPair>),
    Portable(Box<rsa::PrivateKey>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padding {
    Pkcs1,
    Pss,
}

impl RsaBackend {
    fn new(der: &[u8], numbers: &RsaNumbers<'_>) -> Option<Self> {
        if let Ok(pair) = RsaKeyPair::from_der(der) {
            return Some(Self::Ring(Box::new(pair)));
        }
        let number = rsa::BoxedUint::from_be_slice_vartime;
        let key = rsa::PrivateKey::from_components(
            number(numbers.modulus),
            number(numbers.exponent),
            number(numbers.private_exponent),
            numbers.primes.iter().map(|prime| number(prime)).collect(),
        );
        key.ok().map(Box::new).map(Self::Portable)
    }

    fn sign(&self, message: &[u8], hash: Hash, padding: Padding) -> Option<Vec<u8>> {
        use Hash as H;
        use Padding as P;
        let pair = match self {
            Self::Ring(pair) => pair,
            Self::Portable(key) => {
                let signed = match (padding, hash) {
                    (P::Pkcs1, H::Sha256) => key.pkcs1v15_sign::<Sha256>(message),
                    (P::Pkcs1, H::Sha384) => key.pkcs1v15_sign::<Sha384>(message),
                    (P::Pkcs1, H::Sha512) => key.pkcs1v15_sign::<Sha512>(message),
                    (P::Pss, H::Sha256) => key.pss_sign::<Sha256>(message),
                    (P::Pss, H::Sha384) => key.pss_sign::<Sha384>(message),
                    (P::Pss, H::Sha512) => key.pss_sign::<Sha512>(message),
                };
                return signed.ok();
            }
        };
        let encoding: &'static dyn RsaEncoding = match (padding, hash) {
            (P::Pkcs1, H::Sha256) => &scheme::RSA_PKCS1_SHA256,
            (P::Pkcs1, H::Sha384) => &scheme::RSA_PKCS1_SHA384,
            (P::Pkcs1, H::Sha512) => &scheme::RSA_PKCS1_SHA512,
            (P::Pss, H::Sha256) => &scheme::RSA_PSS_SHA256,
            (P::Pss, H::Sha384) => &scheme::RSA_PSS_SHA384,
            (P::Pss, H::Sha512) => &scheme::RSA_PSS_SHA512,
        };
        let mut signature = vec![0; pair.public().modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature).ok()?;
        Some(signature)
    }
}

/// The schemes that an RSA key supports.
fn schemes(kind: KeyType, hashes: &[Hash]) -> Vec<(SignatureScheme, Hash, Padding)> {
    use SignatureScheme as S;
    let pss: fn(Hash) -> S = if kind == KeyType::RsaPss { pss::scheme_of_pss_key } else { pss::scheme };
    let mut all: Vec<_> = hashes.iter().map(|hash| (pss(*hash), *hash, Padding::Pss)).collect();
    if kind == KeyType::Rsa {
        all.extend([
            (S::RSA_PKCS1_SHA512, Hash::Sha512, Padding::Pkcs1),
            (S::RSA_PKCS1_SHA384, Hash::Sha384, Padding::Pkcs1),
            (S::RSA_PKCS1_SHA256, Hash::Sha256, Padding::Pkcs1),
        ]);
    }
    all
}

impl SigningKey for RsaKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        // In TLS 1.2 rustls omits schemes that it does not know, among them those of RSA-PSS keys. The offer then includes
        // schemes of PKCS #1, which TLS 1.3 does not have. A peer that verifies PSS accepts such keys, too. (RFC 8446,
        // section 4.2.3.)
        let is_tls12 = self.pss_only && offered.contains(&SignatureScheme::RSA_PKCS1_SHA256);
        let is_offered = |(scheme, hash, _): &&(SignatureScheme, Hash, Padding)| {
            offered.contains(scheme) || (is_tls12 && offered.contains(&pss::scheme(*hash)))
        };
        let (scheme, hash, padding) = *self.schemes.iter().find(is_offered)?;
        Some(Box::new(RsaSigner { backend: self.backend.clone(), scheme, hash, padding }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::RSA
    }
}

struct RsaSigner {
    backend: Arc<RsaBackend>,
    scheme: SignatureScheme,
    hash: Hash,
    padding: Padding,
}

impl Signer for RsaSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.backend.sign(message, self.hash, self.padding);
        signature.ok_or_else(|| Error::General("signing with a key of RSA failed".to_owned()))
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

/// A key of the curve P-521.
struct P521Key(Arc<p521::ecdsa::SigningKey>);

impl SigningKey for P521Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let is_offered = offered.contains(&SignatureScheme::ECDSA_NISTP521_SHA512);
        is_offered.then(|| Box::new(Self(self.0.clone())) as Box<dyn Signer>)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for P521Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature: Result<p521::ecdsa::DerSignature, _> = self.0.try_sign(message);
        let failed = |_| Error::General("signing with a key of P-521 failed".to_owned());
        signature.map(|signature| signature.as_bytes().to_vec()).map_err(failed)
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP521_SHA512
    }
}

// Keys are secret: their debug output is the name of the type.

impl fmt::Debug for RsaKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RsaKey")
    }
}

impl fmt::Debug for RsaSigner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RsaSigner")
    }
}

impl fmt::Debug for P521Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("P521Key")
    }
}
