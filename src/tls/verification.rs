//! Verification of signatures: with *ring*, and with P-521, RSA-PSS keys, and RSA keys of unusual sizes.

use p521::ecdsa::{DerSignature, VerifyingKey, signature::hazmat::PrehashVerifier};
use ring::digest;
use rsa::sha2::{Sha256, Sha384, Sha512};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id},
};
use webpki::ring as ring_algorithms;

use super::{
    der::bit_length,
    private_key::modulus,
    pss::{Hash, scheme_of_pss_key},
    x509::{SubjectKey, X509Certificate},
};

type VerificationAlgorithm = &'static dyn SignatureVerificationAlgorithm;

/// Algorithms for the signatures of chains (`all`) and of handshakes (`mapping`, in the order of preference).
pub(super) static SUPPORTED: WebPkiSupportedAlgorithms =
    WebPkiSupportedAlgorithms { all: ALL, mapping: MAPPING };

/// Algorithms for chains. RSA keys have at least 2048 bits, as OpenSSL's security level 2 requires.
static ALL: &[VerificationAlgorithm] = &[
    ring_algorithms::ECDSA_P256_SHA256,
    ring_algorithms::ECDSA_P256_SHA384,
    ring_algorithms::ECDSA_P384_SHA256,
    ring_algorithms::ECDSA_P384_SHA384,
    &P521(Hash::Sha256),
    &P521(Hash::Sha384),
    &P521(Hash::Sha512),
    ring_algorithms::ED25519,
    ring_algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    ring_algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    ring_algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    &PssKey(ring_algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY, Hash::Sha256, PSS_KEY),
    &PssKey(ring_algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY, Hash::Sha384, PSS_KEY),
    &PssKey(ring_algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, Hash::Sha512, PSS_KEY),
    &PssKey(ring_algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY, Hash::Sha256, alg_id::RSA_PSS_SHA256),
    &PssKey(ring_algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY, Hash::Sha384, alg_id::RSA_PSS_SHA384),
    &PssKey(ring_algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, Hash::Sha512, alg_id::RSA_PSS_SHA512),
    ring_algorithms::RSA_PKCS1_2048_8192_SHA256,
    ring_algorithms::RSA_PKCS1_2048_8192_SHA384,
    ring_algorithms::RSA_PKCS1_2048_8192_SHA512,
    ring_algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    ring_algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    ring_algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
];

/// Algorithms for handshakes. In TLS 1.3 an ECDSA scheme is for one curve alone, which is the first here. (RFC 8446,
/// section 4.2.3.)
static MAPPING: &[(SignatureScheme, &[VerificationAlgorithm])] = &[
    (
        SignatureScheme::ECDSA_NISTP384_SHA384,
        &[ring_algorithms::ECDSA_P384_SHA384, ring_algorithms::ECDSA_P256_SHA384, &P521(Hash::Sha384)],
    ),
    (
        SignatureScheme::ECDSA_NISTP256_SHA256,
        &[ring_algorithms::ECDSA_P256_SHA256, ring_algorithms::ECDSA_P384_SHA256, &P521(Hash::Sha256)],
    ),
    (SignatureScheme::ECDSA_NISTP521_SHA512, &[&P521(Hash::Sha512)]),
    (SignatureScheme::ED25519, &[ring_algorithms::ED25519]),
    (SignatureScheme::RSA_PSS_SHA512, &[&Rsa::PSS_SHA512]),
    (SignatureScheme::RSA_PSS_SHA384, &[&Rsa::PSS_SHA384]),
    (SignatureScheme::RSA_PSS_SHA256, &[&Rsa::PSS_SHA256]),
    (
        scheme_of_pss_key(Hash::Sha512),
        &[
            &PssKey(&Rsa::PSS_SHA512, Hash::Sha512, PSS_KEY),
            &PssKey(&Rsa::PSS_SHA512, Hash::Sha512, alg_id::RSA_PSS_SHA512),
        ],
    ),
    (
        scheme_of_pss_key(Hash::Sha384),
        &[
            &PssKey(&Rsa::PSS_SHA384, Hash::Sha384, PSS_KEY),
            &PssKey(&Rsa::PSS_SHA384, Hash::Sha384, alg_id::RSA_PSS_SHA384),
        ],
    ),
    (
        scheme_of_pss_key(Hash::Sha256),
        &[
            &PssKey(&Rsa::PSS_SHA256, Hash::Sha256, PSS_KEY),
            &PssKey(&Rsa::PSS_SHA256, Hash::Sha256, alg_id::RSA_PSS_SHA256),
        ],
    ),
    (SignatureScheme::RSA_PKCS1_SHA512, &[&Rsa::PKCS1_SHA512]),
    (SignatureScheme::RSA_PKCS1_SHA384, &[&Rsa::PKCS1_SHA384]),
    (SignatureScheme::RSA_PKCS1_SHA256, &[&Rsa::PKCS1_SHA256]),
];

/// Verifies the signature of a peer in a handshake of TLS 1.3 (`is_tls13`) or 1.2 with the key of its certificate, which
/// may have any version.
pub(super) fn verify_handshake(
    is_tls13: bool,
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    use SignatureScheme as S;
    let certificate = X509Certificate::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let is_pkcs1 = matches!(signed.scheme, S::RSA_PKCS1_SHA256 | S::RSA_PKCS1_SHA384 | S::RSA_PKCS1_SHA512);
    let known = MAPPING.iter().find(|(scheme, _)| *scheme == signed.scheme && !(is_tls13 && is_pkcs1));
    let Some((scheme, algorithms)) = known else {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    };
    let has_one_curve = matches!(*scheme, S::ECDSA_NISTP256_SHA256 | S::ECDSA_NISTP384_SHA384) && is_tls13;
    let algorithms = if has_one_curve { algorithms.get(..1).unwrap_or_default() } else { algorithms };
    let matches_key = |algorithm: &&VerificationAlgorithm| {
        algorithm.public_key_alg_id().as_ref() == certificate.key.algorithm
    };
    let Some(algorithm) = algorithms.iter().find(matches_key) else {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    };
    match algorithm.verify_signature(certificate.key.bits, message, signed.signature()) {
        Ok(()) => Ok(HandshakeSignatureValid::assertion()),
        Err(InvalidSignature) => Err(CertificateError::BadSignature.into()),
    }
}

/// Whether a certificate is signed with this key.
pub(super) fn is_signed_by(certificate: &X509Certificate<'_>, key: &SubjectKey<'_>) -> bool {
    let matches = |algorithm: &&VerificationAlgorithm| {
        algorithm.signature_alg_id().as_ref() == certificate.algorithm
            && algorithm.public_key_alg_id().as_ref() == key.algorithm
    };
    let verifies = |algorithm: &VerificationAlgorithm| {
        algorithm.verify_signature(key.bits, certificate.signed, certificate.signature).is_ok()
    };
    certificate.algorithm == certificate.signed_algorithm && ALL.iter().find(matches).is_some_and(verifies)
}

/// ECDSA with P-521.
#[derive(Debug)]
struct P521(Hash);

impl SignatureVerificationAlgorithm for P521 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = VerifyingKey::from_sec1_bytes(key).map_err(|_| InvalidSignature)?;
        let signature = DerSignature::from_bytes(signature).map_err(|_| InvalidSignature)?;
        let algorithm = match self.0 {
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        };
        // The hash is a number: leading zeros do not change it.
        let hash = digest::digest(algorithm, message);
        let mut number = [0; 64];
        number[64 - hash.as_ref().len()..].copy_from_slice(hash.as_ref());
        key.verify_prehash(&number, &signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P521
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.0 {
            Hash::Sha256 => alg_id::ECDSA_SHA256,
            Hash::Sha384 => alg_id::ECDSA_SHA384,
            Hash::Sha512 => alg_id::ECDSA_SHA512,
        }
    }
}

/// `id-RSASSA-PSS` without parameters: an RSA-PSS key for any hash. (RFC 4055, section 3.1.)
const PSS_KEY: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10]);

/// PSS with an RSA-PSS key.
#[derive(Debug)]
struct PssKey(VerificationAlgorithm, Hash, AlgorithmIdentifier);

impl SignatureVerificationAlgorithm for PssKey {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.0.verify_signature(key, message, signature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.2
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.1 {
            Hash::Sha256 => alg_id::RSA_PSS_SHA256,
            Hash::Sha384 => alg_id::RSA_PSS_SHA384,
            Hash::Sha512 => alg_id::RSA_PSS_SHA512,
        }
    }
}

/// RSA of any size that OpenSSL accepts: with *ring*, or with slower code for sizes that *ring* refuses. It is used for
/// handshakes alone, as an upstream may have any certificate.
#[derive(Debug)]
struct Rsa {
    ring: &'static VerificationAlgorithm,
    hash: Hash,
    pss: bool,
}

/// Sizes of RSA keys, in bits, that are verified without *ring*. (OpenSSL: `OPENSSL_RSA_MAX_MODULUS_BITS`.)
const OTHER_SIZES: std::ops::RangeInclusive<usize> = 1024..=16384;

impl Rsa {
    const PSS_SHA256: Self =
        Self { ring: &ring_algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY, hash: Hash::Sha256, pss: true };
    const PSS_SHA384: Self =
        Self { ring: &ring_algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY, hash: Hash::Sha384, pss: true };
    const PSS_SHA512: Self =
        Self { ring: &ring_algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, hash: Hash::Sha512, pss: true };
    const PKCS1_SHA256: Self =
        Self { ring: &ring_algorithms::RSA_PKCS1_2048_8192_SHA256, hash: Hash::Sha256, pss: false };
    const PKCS1_SHA384: Self =
        Self { ring: &ring_algorithms::RSA_PKCS1_2048_8192_SHA384, hash: Hash::Sha384, pss: false };
    const PKCS1_SHA512: Self =
        Self { ring: &ring_algorithms::RSA_PKCS1_2048_8192_SHA512, hash: Hash::Sha512, pss: false };
}

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let (modulus, exponent) = modulus(key).ok_or(InvalidSignature)?;
        if (2048..=8192).contains(&bit_length(modulus)) {
            return self.ring.verify_signature(key, message, signature);
        }
        let number = rsa::BoxedUint::from_be_slice_vartime;
        let key = rsa::PublicKey::new_with_size_limits(number(modulus), number(exponent), OTHER_SIZES)
            .map_err(|_| InvalidSignature)?;
        let verified = match (self.pss, self.hash) {
            (true, Hash::Sha256) => key.pss_verify::<Sha256>(message, signature),
            (true, Hash::Sha384) => key.pss_verify::<Sha384>(message, signature),
            (true, Hash::Sha512) => key.pss_verify::<Sha512>(message, signature),
            (false, Hash::Sha256) => key.pkcs1v15_verify::<Sha256>(message, signature),
            (false, Hash::Sha384) => key.pkcs1v15_verify::<Sha384>(message, signature),
            (false, Hash::Sha512) => key.pkcs1v15_verify::<Sha512>(message, signature),
        };
        verified.map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.ring.signature_alg_id()
    }
}
