//! Verification of signatures: those of *ring*, and of P-521, RSA-PSS keys, and RSA of unusual sizes.

use p521::ecdsa::{DerSignature, VerifyingKey, signature::hazmat::PrehashVerifier};
use ring::digest;
use rsa::sha2::{Sha256, Sha384, Sha512};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::WebPkiSupportedAlgorithms,
    pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id},
};
use webpki::ring as usual;

use super::{
    der::bit_length,
    private_key::modulus,
    pss::{Hash, scheme_of_pss_key},
    x509::{Certificate, SubjectKey},
};

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// What signatures are verified with: of chains, `all`; of handshakes, `mapping`, what is liked best first.
pub(super) static SUPPORTED: WebPkiSupportedAlgorithms =
    WebPkiSupportedAlgorithms { all: ALL, mapping: MAPPING };

/// Of chains. Keys of RSA have 2048 bits at least here, as OpenSSL's security level 2 asks.
static ALL: &[Algorithm] = &[
    usual::ECDSA_P256_SHA256,
    usual::ECDSA_P256_SHA384,
    usual::ECDSA_P384_SHA256,
    usual::ECDSA_P384_SHA384,
    &P521(Hash::Sha256),
    &P521(Hash::Sha384),
    &P521(Hash::Sha512),
    usual::ED25519,
    usual::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    usual::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    usual::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
    &PssKey(usual::RSA_PSS_2048_8192_SHA256_LEGACY_KEY, Hash::Sha256, PSS_KEY),
    &PssKey(usual::RSA_PSS_2048_8192_SHA384_LEGACY_KEY, Hash::Sha384, PSS_KEY),
    &PssKey(usual::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, Hash::Sha512, PSS_KEY),
    &PssKey(usual::RSA_PSS_2048_8192_SHA256_LEGACY_KEY, Hash::Sha256, alg_id::RSA_PSS_SHA256),
    &PssKey(usual::RSA_PSS_2048_8192_SHA384_LEGACY_KEY, Hash::Sha384, alg_id::RSA_PSS_SHA384),
    &PssKey(usual::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, Hash::Sha512, alg_id::RSA_PSS_SHA512),
    usual::RSA_PKCS1_2048_8192_SHA256,
    usual::RSA_PKCS1_2048_8192_SHA384,
    usual::RSA_PKCS1_2048_8192_SHA512,
    usual::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    usual::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    usual::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
];

/// Of handshakes. In TLS 1.3 a scheme of a curve is for that curve alone, which stands first. (RFC 8446, section 4.2.3.)
static MAPPING: &[(SignatureScheme, &[Algorithm])] = &[
    (
        SignatureScheme::ECDSA_NISTP384_SHA384,
        &[usual::ECDSA_P384_SHA384, usual::ECDSA_P256_SHA384, &P521(Hash::Sha384)],
    ),
    (
        SignatureScheme::ECDSA_NISTP256_SHA256,
        &[usual::ECDSA_P256_SHA256, usual::ECDSA_P384_SHA256, &P521(Hash::Sha256)],
    ),
    (SignatureScheme::ECDSA_NISTP521_SHA512, &[&P521(Hash::Sha512)]),
    (SignatureScheme::ED25519, &[usual::ED25519]),
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

/// Verifies what a peer signed in a handshake of TLS 1.3 (`modern`) or 1.2 with the key of its certificate, whatever
/// the version of that.
pub(super) fn verify_handshake(
    modern: bool,
    message: &[u8],
    certificate: &[u8],
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    use SignatureScheme as S;
    let certificate = Certificate::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let forbidden = matches!(signed.scheme, S::RSA_PKCS1_SHA256 | S::RSA_PKCS1_SHA384 | S::RSA_PKCS1_SHA512);
    let known = MAPPING.iter().find(|(scheme, _)| *scheme == signed.scheme && !(modern && forbidden));
    let Some((scheme, algorithms)) = known else {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    };
    let one_curve = matches!(*scheme, S::ECDSA_NISTP256_SHA256 | S::ECDSA_NISTP384_SHA384) && modern;
    let algorithms = if one_curve { algorithms.get(..1).unwrap_or_default() } else { algorithms };
    let fits = |it: &&Algorithm| it.public_key_alg_id().as_ref() == certificate.key.algorithm;
    let Some(algorithm) = algorithms.iter().find(fits) else {
        return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
    };
    match algorithm.verify_signature(certificate.key.bits, message, signed.signature()) {
        Ok(()) => Ok(HandshakeSignatureValid::assertion()),
        Err(InvalidSignature) => Err(CertificateError::BadSignature.into()),
    }
}

/// Whether a certificate is signed with this key.
pub(super) fn is_signed_by(certificate: &Certificate<'_>, key: &SubjectKey<'_>) -> bool {
    let fits = |it: &&Algorithm| {
        it.signature_alg_id().as_ref() == certificate.algorithm
            && it.public_key_alg_id().as_ref() == key.algorithm
    };
    let verifies =
        |it: &Algorithm| it.verify_signature(key.bits, certificate.signed, certificate.signature).is_ok();
    certificate.algorithm == certificate.signed_algorithm && ALL.iter().find(fits).is_some_and(verifies)
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
        // A hash is a number: zeros before it do not change it.
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

/// `id-RSASSA-PSS` without parameters: a key for PSS with any hash. (RFC 4055, section 3.1.)
const PSS_KEY: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10]);

/// PSS with a key that is for nothing else.
#[derive(Debug)]
struct PssKey(Algorithm, Hash, AlgorithmIdentifier);

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

/// RSA of any size that OpenSSL takes: *ring*'s, and beside its sizes slower code. Only handshakes are verified with it,
/// where an upstream may have any certificate.
#[derive(Debug)]
struct Rsa {
    usual: &'static Algorithm,
    hash: Hash,
    pss: bool,
}

/// What RSA is verified with beside *ring*. (OpenSSL: `OPENSSL_RSA_MAX_MODULUS_BITS`.)
const OTHER_SIZES: std::ops::RangeInclusive<usize> = 1024..=16384;

impl Rsa {
    const PSS_SHA256: Self =
        Self { usual: &usual::RSA_PSS_2048_8192_SHA256_LEGACY_KEY, hash: Hash::Sha256, pss: true };
    const PSS_SHA384: Self =
        Self { usual: &usual::RSA_PSS_2048_8192_SHA384_LEGACY_KEY, hash: Hash::Sha384, pss: true };
    const PSS_SHA512: Self =
        Self { usual: &usual::RSA_PSS_2048_8192_SHA512_LEGACY_KEY, hash: Hash::Sha512, pss: true };
    const PKCS1_SHA256: Self =
        Self { usual: &usual::RSA_PKCS1_2048_8192_SHA256, hash: Hash::Sha256, pss: false };
    const PKCS1_SHA384: Self =
        Self { usual: &usual::RSA_PKCS1_2048_8192_SHA384, hash: Hash::Sha384, pss: false };
    const PKCS1_SHA512: Self =
        Self { usual: &usual::RSA_PKCS1_2048_8192_SHA512, hash: Hash::Sha512, pss: false };
}

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let (modulus, exponent) = modulus(key).ok_or(InvalidSignature)?;
        if (2048..=8192).contains(&bit_length(modulus)) {
            return self.usual.verify_signature(key, message, signature);
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
        self.usual.signature_alg_id()
    }
}
