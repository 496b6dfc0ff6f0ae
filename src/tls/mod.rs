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

mod authorities;
mod client_certificates;
mod generated;
mod given;
mod identity;
mod names;
mod public_key;

pub use authorities::{Authorities, is_authority};
pub use client_certificates::client_verifier;
pub use generated::self_signed;
pub use given::{identities, read};
pub use identity::{Fault, Identity};
pub use names::{Certificates, choose};
pub use public_key::{KeyKind, PublicKey};

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// The cryptography of all connections.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}
