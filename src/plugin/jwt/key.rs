//! Keys that verify signatures of tokens. (RFC 7518, section 3; RFC 8037, section 3.1.)

use ring::{
    hmac,
    signature::{self, UnparsedPublicKey, VerificationAlgorithm},
};

use crate::{
    base64_codec::decode_any_alphabet,
    tls::{PublicKey, PublicKeyKind},
};

/// The key of a `jwt` credential, with its algorithm.
#[derive(Debug)]
pub struct JwtKey {
    algorithm: String,
    verifier: TokenVerifier,
}

#[derive(Debug)]
enum TokenVerifier {
    /// A secret, as written and decoded from Base64.
    Secret(Box<SharedSecret>),
    /// A public key.
    Public(UnparsedPublicKey<Vec<u8>>),
    /// None: every token is rejected.
    RejectAll,
}

#[derive(Debug)]
struct SharedSecret {
    plain: hmac::Key,
    decoded: Option<hmac::Key>,
}

/// Why a key cannot verify tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// The message about the public key.
    PublicKey(String),
    /// Why tokens of its algorithm cannot be verified.
    Algorithm(String),
}

/// Why a token is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    /// The key cannot verify anything.
    Key,
    /// The signature is not that of the key.
    Signature,
}

impl JwtKey {
    /// The key of a credential: the secret for `HS...` algorithms, the public key in PEM for others.
    ///
    /// # Errors
    /// The public key cannot be read, or is not of the kind that the algorithm needs.
    pub fn new(algorithm: &str, secret: &str, public_key: Option<&str>) -> Result<Self, KeyFault> {
        let verifier = match hmac_algorithm(algorithm) {
            Some(hash) => TokenVerifier::Secret(Box::new(SharedSecret {
                plain: hmac::Key::new(hash, secret.as_bytes()),
                decoded: decode_any_alphabet(secret).map(|secret| hmac::Key::new(hash, &secret)),
            })),
            None => TokenVerifier::Public(self::public_key(algorithm, public_key)?),
        };
        Ok(Self { algorithm: algorithm.to_owned(), verifier })
    }

    /// A key that rejects every token.
    #[must_use]
    pub fn reject_all(algorithm: &str) -> Self {
        Self { algorithm: algorithm.to_owned(), verifier: TokenVerifier::RejectAll }
    }

    /// The only algorithm of tokens that it accepts, so that a public key cannot be used as a secret. (RFC 8725, section 3.1.)
    pub(super) fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// Verifies a signature; with `decoded`, the secret is the one decoded from Base64.
    pub(super) fn verify(&self, signed: &[u8], signature: &[u8], decoded: bool) -> Result<(), TokenError> {
        let verified = match &self.verifier {
            TokenVerifier::Secret(secret) => {
                let key = if decoded { secret.decoded.as_ref() } else { Some(&secret.plain) };
                hmac::verify(key.ok_or(TokenError::Key)?, signed, signature)
            }
            TokenVerifier::Public(key) => key.verify(signed, signature),
            TokenVerifier::RejectAll => return Err(TokenError::Key),
        };
        verified.map_err(|_| TokenError::Signature)
    }
}

fn hmac_algorithm(algorithm: &str) -> Option<hmac::Algorithm> {
    Some(match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => return None,
    })
}

fn public_key(algorithm: &str, pem: Option<&str>) -> Result<UnparsedPublicKey<Vec<u8>>, KeyFault> {
    use signature as s;
    let (kind, verification): (_, &'static dyn VerificationAlgorithm) = match algorithm {
        "RS256" => (PublicKeyKind::Rsa, &s::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => (PublicKeyKind::Rsa, &s::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => (PublicKeyKind::Rsa, &s::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => (PublicKeyKind::Rsa, &s::RSA_PSS_2048_8192_SHA256),
        "PS384" => (PublicKeyKind::Rsa, &s::RSA_PSS_2048_8192_SHA384),
        "PS512" => (PublicKeyKind::Rsa, &s::RSA_PSS_2048_8192_SHA512),
        "ES256" => (PublicKeyKind::P256, &s::ECDSA_P256_SHA256_FIXED),
        "ES384" => (PublicKeyKind::P384, &s::ECDSA_P384_SHA384_FIXED),
        "EdDSA" => (PublicKeyKind::Ed25519, &s::ED25519),
        _ => {
            let message = format!("signatures of {algorithm} cannot be verified by this version of mynah");
            return Err(KeyFault::Algorithm(message));
        }
    };
    let Some(pem) = pem else {
        return Err(KeyFault::Algorithm(format!("there is no public key to verify {algorithm} with")));
    };
    let key = PublicKey::from_pem(pem).map_err(|why| KeyFault::PublicKey(format!("invalid key: {why}")))?;
    if key.kind != kind {
        let (is, needed) = (key.kind.name(), kind.name());
        let message = format!("invalid key: it is one of {is}, and {algorithm} needs one of {needed}");
        return Err(KeyFault::PublicKey(message));
    }
    Ok(UnparsedPublicKey::new(verification, key.bits))
}
