//! Certificates and private keys for TLS, selection by server name, and verification of peers.
//!
//! Everything here is prepared when a configuration is loaded, or when the process starts; a handshake only looks it up.
//!
//! | file | what it holds |
//! |---|---|
//! | `identity` | a certificate with its key, from PEM |
//! | `names` | certificates by server name |
//! | `authorities` | trusted certificate authorities |
//! | `chain_depth` | limit of the length of certificate chains |
//! | `client_certificates` | verification of the certificates of clients |
//! | `generated` | self-signed certificate for listeners without one |
//! | `public_key` | a public key, from PEM |
//! | `key_pair` | checks of keys that are stored only |
//! | `source` | certificates of settings: a file, PEM, or base64 |
//! | `pem`, `der` | PEM and DER encoding of certificates and keys |
//! | `x509`, `private_key`, `curve`, `pss` | certificates and private keys of every type, parsed as OpenSSL does |
//! | `signing`, `verification` | signatures, also of schemes that *ring* does not support |
//! | `key_exchange` | key exchange with P-521, which *ring* does not support |
//! | `server_certificate` | verification of the certificates of servers |

mod authorities;
mod certificate_table;
mod chain_depth;
mod client_certificates;
mod curve;
mod der;
mod generated;
mod identity;
mod key_exchange;
mod key_pair;
mod pem;
mod private_key;
mod pss;
mod public_key;
mod server_certificate;
mod signing;
mod source;
mod verification;
mod x509;

pub use authorities::{CaStore, is_authority};
pub use certificate_table::{CertificateTable, select_certificate};
pub use client_certificates::client_verifier;
pub use generated::self_signed;
pub use identity::{CertificateFault, CertifiedIdentity};
pub use key_pair::{KeyPairFault, check_key_pair, is_point_of};
pub use private_key::KeyType;
pub use public_key::{PublicKey, PublicKeyKind};
pub use server_certificate::{OTHER_PURPOSE, Trust, Verifier};
pub use source::{identities, read_source};

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.signature_verification_algorithms = verification::SUPPORTED;
    provider.kx_groups.push(&key_exchange::P521Group);
    Arc::new(provider)
});

/// The cryptography provider of all connections.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    PROVIDER.clone()
}
