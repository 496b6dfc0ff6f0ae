//! TLS: certificates with their keys, which of them a client is shown, and whom we trust.
//!
//! What is here is made when a configuration is loaded, or when the process starts; a handshake only looks it up.
//!
//! | part | what it is for |
//! |---|---|
//! | [`identity`] | a certificate with its key, from PEM |
//! | [`names`] | certificates by the name that a client asks for |
//! | [`authorities`] | who vouches for certificates |
//! | [`client_certificates`] | verification of the certificates of clients |
//! | [`generated`] | the certificate of a gateway that was given none |
//! | [`public_key`] | the key that somebody signs with, from PEM |
//! | [`given`] | certificates that settings name: a file, PEM, or base64 |
//! | [`pem`], [`der`] | texts and encodings of certificates and keys |
//! | [`x509`], [`private_key`], [`curve`], [`pss`] | certificates and private keys of every kind, as OpenSSL reads them |
//! | [`signing`], [`verification`] | signatures, also of kinds that *ring* does not know |
//! | [`key_exchange`] | agreement on keys with a curve that *ring* does not know |
//! | [`server_certificate`] | whether an authority vouches for what a server shows |

mod authorities;
mod client_certificates;
mod curve;
mod der;
mod generated;
mod given;
mod identity;
mod key_exchange;
mod names;
mod pem;
mod private_key;
mod pss;
mod public_key;
mod server_certificate;
mod signing;
mod verification;
mod x509;

pub use authorities::{CaStore, is_authority};
pub use client_certificates::client_verifier;
pub use generated::self_signed;
pub use given::{identities, read};
pub use identity::{CertificateFault, CertifiedIdentity};
pub use names::{CertificateTable, choose};
pub use private_key::KeyType;
pub use public_key::{PublicKey, PublicKeyKind};
pub use server_certificate::{Trust, Verifier};

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.signature_verification_algorithms = verification::SUPPORTED;
    provider.kx_groups.push(&key_exchange::P521Group);
    Arc::new(provider)
});

/// The cryptography of all connections.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}
