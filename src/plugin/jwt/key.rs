//! What the signature of a token is verified with. (RFC 7518, section 3; RFC 8037, section 3.1.)

use ring::{
    hmac,
    signature::{self, UnparsedPublicKey, VerificationAlgorithm},
};

use crate::{
    base64_codec::decode_any_alphabet,
    tls::{PublicKey, PublicKeyKind},
};

/// The key of a credential of `jwt`, and the algorithm that it is for.
#[derive(Debug)]
pub struct JwtKey {
    algorithm: String,
    verifier: TokenVerifier,
}

#[derive(Debug)]
enum TokenVerifier {
    /// A secret as it stands, and what it says in Base64, if it is that.
    Secret(Box<SharedSecret>),
    /// A public key.
    Public(UnparsedPublicKey<Vec<u8>>),
    /// Nothing: every token is refused.
    Nothing,
}

#[derive(Debug)]
struct SharedSecret {
    plain: hmac::Key,
    decoded: Option<hmac::Key>,
}

/// Why a key does not do what it is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// What is wrong with the public key.
    PublicKey(String),
    /// Why tokens of its algorithm cannot be verified.
    Algorithm(String),
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenError {
    /// The key cannot verify anything.
    Key,
    /// The signature is not that of the key.
    Signature,
}

impl JwtKey {
    /// The key of a credential: of `HS...` the secret, of the others the public key, PEM.
    ///
    /// # Errors
    /// The public key cannot be read, or is not of a kind that the algorithm is for.
    pub fn new(algorithm: &str, secret: &str, public_key: Option<&str>) -> Result<Self, KeyFault> {
        let verifier = match hash(algorithm) {
            Some(hash) => TokenVerifier::Secret(Box::new(SharedSecret {
                plain: hmac::Key::new(hash, secret.as_bytes()),
                decoded: decode_any_alphabet(secret).map(|secret| hmac::Key::new(hash, &secret)),
            })),
            None => TokenVerifier::Public(public(algorithm, public_key)?),
        };
        Ok(Self { algorithm: algorithm.to_owned(), verifier })
    }

    /// A key that refuses every token of its algorithm.
    #[must_use]
    pub fn none(algorithm: &str) -> Self {
        Self { algorithm: algorithm.to_owned(), verifier: TokenVerifier::Nothing }
    }

    /// The only algorithm whose tokens are taken.
    pub(super) fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// Checks a signature; `decoded` says that the secret is written in Base64.
    pub(super) fn verify(&self, signed: &[u8], signature: &[u8], decoded: bool) -> Result<(), TokenError> {
        let verified = match &self.verifier {
            TokenVerifier::Secret(secret) => {
                let key = if decoded { secret.decoded.as_ref() } else { Some(&secret.plain) };
                hmac::verify(key.ok_or(TokenError::Key)?, signed, signature)
            }
            TokenVerifier::Public(key) => key.verify(signed, signature),
            TokenVerifier::Nothing => return Err(TokenError::Key),
        };
        verified.map_err(|_| TokenError::Signature)
    }
}

fn hash(algorithm: &str) -> Option<hmac::Algorithm> {
    Some(match algorithm {
        "HS256" => hmac::HMAC_SHA256,
        "HS384" => hmac::HMAC_SHA384,
        "HS512" => hmac::HMAC_SHA512,
        _ => return None,
    })
}

fn public(algorithm: &str, pem: Option<&str>) -> Result<UnparsedPublicKey<Vec<u8>>, KeyFault> {
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
